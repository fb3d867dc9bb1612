"""Layers in plain torch with plain typed arguments: nothing here knows a config, a tokenizer or a trainer.

Letters for tensor sizes, used in every docstring and shape comment of `mt`:

    B  sentences in a batch          E  embedding size
    N  rows being decoded, B * K     H  hidden size of a recurrent layer
    K  hypotheses per sentence       C  width of the memory (the encoder's outputs)
    S  source length                 A  attention size (width of keys and queries)
    T  target length                 F  width of the features that are projected to the vocabulary
    V  vocabulary size

Batch first. Masks are bool with True at real tokens. Log-probabilities are natural logarithms (nats).
"""
