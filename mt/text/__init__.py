"""Text and token ids: the reserved ids (`symbols`), SentencePiece in use (`tokenizer`) and in training, words and links."""
