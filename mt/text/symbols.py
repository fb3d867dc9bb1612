"""The four reserved token ids, equal in every tokenizer and model."""

__all__ = ["BOS", "EOS", "PAD", "RESERVED", "UNK"]

PAD, UNK, BOS, EOS = 0, 1, 2, 3
RESERVED = 4
