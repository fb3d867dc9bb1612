"""Encoder and decoder together: teacher forcing equals stepping, padding is invisible, the equations hold."""

import numpy as np
import pytest
import torch
from conftest import tiny_spec
from reference import additive_attention, gru

from mt.model import build_model
from mt.nn.decoder import DECODERS

TGT_IN = torch.tensor([[2, 4, 5, 6], [2, 7, 8, 9], [2, 10, 11, 12]])


@pytest.fixture(params=sorted(DECODERS))
def model(request):
    return build_model(tiny_spec(decoder=request.param)).double().eval()


class TestEveryDecoder:
    def test_repeated_step_equals_forward(self, model, batch):
        src, lengths = batch
        encoded = model.encoder(src, lengths)
        memory = model.decoder.memory(encoded.values, encoded.mask)
        features = model.decoder(TGT_IN, memory, encoded.summary)
        state = model.decoder.start(memory, encoded.summary)
        for t in range(TGT_IN.shape[1]):
            step = model.decoder.step(TGT_IN[:, t], memory, state)
            torch.testing.assert_close(step.features, features[:, t], rtol=1e-12, atol=1e-12)
            state = step.state

    def test_padding_changes_nothing(self, model, batch):
        src, lengths = batch
        encoded = model.encoder(src, lengths)
        together = model.decoder(TGT_IN, model.decoder.memory(encoded.values, encoded.mask), encoded.summary)
        for row, length in enumerate(lengths):
            encoded = model.encoder(src[row : row + 1, :length], lengths[row : row + 1])
            memory = model.decoder.memory(encoded.values, encoded.mask)
            alone = model.decoder(TGT_IN[row : row + 1], memory, encoded.summary)
            torch.testing.assert_close(alone[0], together[row])

    def test_hypotheses_of_a_sentence_share_its_memory(self, model, batch):
        """K rows per sentence over B memories equal B * K rows over repeated memories."""
        src, lengths = batch
        state = model.start(src, lengths).reorder(torch.tensor([0, 0, 1, 1, 2, 2]))
        prev = torch.tensor([4, 5, 6, 7, 8, 9])
        shared = model.step(prev, state)
        repeated = model.start(src.repeat_interleave(2, 0), lengths.repeat_interleave(2))
        torch.testing.assert_close(shared.log_probs, model.step(prev, repeated).log_probs)

    def test_sentences_may_leave(self, model, batch):
        src, lengths = batch
        state = model.start(src, lengths).reorder(torch.tensor([0, 0, 1, 1, 2, 2]))
        prev = torch.tensor([4, 5, 6, 7, 8, 9])
        all_of_them = model.step(prev, state).log_probs
        kept = model.step(prev[2:], state.keep(torch.tensor([1, 2]))).log_probs
        torch.testing.assert_close(kept, all_of_them[2:])


def test_attentional_decoder_follows_the_equations(batch):
    """One layer, every step by hand in NumPy (Bahdanau et al. 2015, as documented at AttentionalDecoder)."""
    model = build_model(tiny_spec(encoder_layers=1, decoder_layers=1)).double().eval()
    src, lengths = batch
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    encoded = model.encoder(src, lengths)
    memory = model.decoder.memory(encoded.values, encoded.mask)
    features = model.decoder(TGT_IN, memory, encoded.summary).detach().numpy()

    def gru_weights(prefix):
        return [weights[f"{prefix}.gru.{kind}_l0"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    scale = 6**0.5  # the square root of the embedding size
    for row, length in enumerate(lengths):
        embedded = scale * weights["encoder.embedding.weight"][src[row, :length]]
        ahead = gru(embedded, np.zeros(4), *gru_weights("encoder.layers.0.left_to_right"))
        back = gru(embedded[::-1], np.zeros(4), *gru_weights("encoder.layers.0.right_to_left"))[::-1]
        values = np.concatenate([ahead, back], axis=1)
        summary = np.concatenate([ahead[-1], back[0]])
        state = np.tanh(weights["decoder.bridge.project.0.weight"] @ summary + weights["decoder.bridge.project.0.bias"])
        for t, token in enumerate(TGT_IN[row]):
            previous = scale * weights["decoder.embedding.weight"][token]
            context, _ = additive_attention(
                state,
                values,
                weights["decoder.attention.query.weight"],
                weights["decoder.attention.key.weight"],
                weights["decoder.attention.key.bias"],
                weights["decoder.attention.energy.weight"][0],
            )
            state = gru(np.concatenate([previous, context])[None], state, *gru_weights("decoder.layers.0"))[0]
            seen = np.concatenate([state, context, previous])
            expected = np.tanh(weights["decoder.readout.weight"] @ seen + weights["decoder.readout.bias"])
            np.testing.assert_allclose(features[row, t], expected, rtol=1e-10)
