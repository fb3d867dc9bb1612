"""Text and token ids: the reserved ids (`symbols`), and SentencePiece in use (`tokenizer`) and in training."""
