"""The four reserved token ids, equal in every tokenizer and model."""

__all__ = ["BOS", "EOS", "PAD", "UNK"]

PAD, UNK, BOS, EOS = 0, 1, 2, 3
