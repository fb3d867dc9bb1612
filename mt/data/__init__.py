"""From corpora to batches: read (`sources`), encode and clean (`cleaning`), batch by tokens (`batching`)."""
