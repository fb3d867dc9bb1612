"""A model with a tiny vocabulary, so that all its translations can be listed; and its teacher-forced scores."""

import numpy as np
import torch

from mt.model import ModelSpec, Seq2Seq, build_model
from mt.text.symbols import BOS, EOS

VOCABULARY = 7  # PAD UNK BOS EOS and three words
SPEC = ModelSpec(
    source_vocabulary=11,
    target_vocabulary=VOCABULARY,
    embedding_size=6,
    encoder_size=4,
    decoder_size=5,
    attention_size=3,
)


SRC = np.array([[4, 5, 6, 7, 3], [8, 9, 3, 0, 0], [10, 4, 4, 3, 0]])
"""Three padded source sentences."""
SRC_LENGTHS = np.array([5, 3, 4])


def small_network() -> Seq2Seq:
    """Return a random model in float64 that has clear preferences."""
    model = build_model(SPEC).double().eval()
    model.output.weight.data *= 4
    return model


@torch.no_grad()
def forced(network: Seq2Seq, src: np.ndarray, ids: tuple[int, ...]) -> list[float]:
    """Log-probabilities of each token of ids and of EOS, by a teacher-forced forward pass over src: [S]."""
    encoded = network.encoder(torch.from_numpy(src)[None], torch.tensor([len(src)]))
    memory = network.decoder.memory(encoded.values, encoded.mask)
    features = network.decoder(torch.tensor([[BOS, *ids]]), memory, encoded.summary)
    log_probs = network.output(features).log_softmax(2)[0]
    return [log_probs[t, token].item() for t, token in enumerate([*ids, EOS])]
