"""Encoder and decoder together: teacher forcing equals stepping, padding is invisible, the equations hold."""

import numpy as np
import pytest
import torch
from conftest import tiny_spec
from reference import additive_attention, gru

from mt.model import build_model
from mt.nn.cells import CELLS
from mt.nn.decoder import DECODERS
from mt.torch_model import TorchModel

TGT_IN = torch.tensor([[2, 4, 5, 6], [2, 7, 8, 9], [2, 10, 11, 12]])


STEPPING = sorted(set(DECODERS) - {"parallel"})
VARIANTS = [
    *({"decoder": decoder, "cell": cell} for decoder in sorted(DECODERS) for cell in sorted(CELLS)),
    *({"decoder": decoder, "transition_depth": 3} for decoder in sorted(DECODERS)),
    *({"decoder": decoder, "attention": "coverage"} for decoder in STEPPING),
    {"attention": "multi_head", "attention_size": 6, "attention_heads": 3, "residual": True},
    {"attention": "dot", "decoder_size": 8},
    {"attention": "general", "decoder_layers": 3, "residual": True},
    *({"decoder": decoder, "source_bridging": True} for decoder in sorted(DECODERS)),
    {"attention": "dot", "decoder_size": 14, "source_bridging": True},
    *({"decoder": decoder, "readout": "linear"} for decoder in sorted(DECODERS)),
]


@pytest.fixture(params=VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def model(request):
    return build_model(tiny_spec(**request.param)).double().eval()


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

    def test_teacher_forcing_looks_where_repeated_steps_look(self, model, batch):
        src, lengths = batch
        encoded = model.encoder(src, lengths)
        memory = model.decoder.memory(encoded.values, encoded.mask)
        forced = model.decoder.force(TGT_IN, memory, encoded.summary)
        torch.testing.assert_close(forced.features, model.decoder(TGT_IN, memory, encoded.summary), rtol=0, atol=0)
        state = model.decoder.start(memory, encoded.summary)
        for t in range(TGT_IN.shape[1]):
            step = model.decoder.step(TGT_IN[:, t], memory, state)
            torch.testing.assert_close(step.attention, forced.attention[:, t], rtol=1e-12, atol=1e-12)
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
        stepper = TorchModel(model)
        state = stepper.start(src.numpy(), lengths.numpy()).reorder(np.array([0, 0, 1, 1, 2, 2]))
        prev = np.array([4, 5, 6, 7, 8, 9])
        shared = stepper.step(prev, state)
        repeated = stepper.start(src.repeat_interleave(2, 0).numpy(), lengths.repeat_interleave(2).numpy())
        torch.testing.assert_close(shared.log_probs, stepper.step(prev, repeated).log_probs)

    def test_sentences_may_leave(self, model, batch):
        src, lengths = batch
        stepper = TorchModel(model)
        state = stepper.start(src.numpy(), lengths.numpy()).reorder(np.array([0, 0, 1, 1, 2, 2]))
        prev = np.array([4, 5, 6, 7, 8, 9])
        all_of_them = stepper.step(prev, state).log_probs
        kept = stepper.step(prev[2:], state.keep(np.array([1, 2]))).log_probs
        torch.testing.assert_close(kept, all_of_them[2:])


SCALE = 6**0.5  # embeddings are read times the square root of their size


@pytest.mark.parametrize("decoder", STEPPING)
def test_coverage_is_the_sum_of_all_earlier_weights(decoder, batch):
    model = build_model(tiny_spec(decoder=decoder, attention="coverage")).double().eval()
    src, lengths = batch
    stepper = TorchModel(model)
    state = stepper.start(src.numpy(), lengths.numpy())
    total = torch.zeros(3, 5, dtype=torch.float64)
    for t in range(TGT_IN.shape[1]):
        torch.testing.assert_close(state.decoder[-1], total)
        step = stepper.step(TGT_IN[:, t].numpy(), state)
        total, state = total + step.attention, step.state


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_recurrent_dropout_is_drawn_once_for_a_sequence(decoder, batch):
    """With dropped weights drawn at every position, equal inputs could not give the state a fixed point."""
    model = build_model(tiny_spec(decoder=decoder, recurrent_dropout=0.5, decoder_layers=1)).double()
    src, lengths = batch
    encoded = model.encoder.eval()(src, lengths)
    memory = model.decoder.memory(encoded.values, encoded.mask)
    features = model.decoder.train()(torch.full((3, 400), 5), memory, encoded.summary)
    torch.testing.assert_close(features[:, -1], features[:, -2], rtol=1e-6, atol=1e-6)


class TestEquations:
    """Two decoder layers, each position by hand in NumPy, from the equations in the docstrings of mt.nn.attending."""

    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
    @pytest.mark.parametrize("decoder", ["parallel", "attentional", "conditional", "input_feeding"])
    @pytest.mark.parametrize("readout", ["tanh", "linear"])
    @pytest.mark.parametrize(("residual", "bridging"), [(False, False), (True, False), (False, True)])
    def test_decoder(self, decoder, residual, bridging, readout, batch, dtype, tolerance):
        spec = tiny_spec(
            encoder_layers=1, decoder=decoder, residual=residual, source_bridging=bridging, readout=readout
        )
        model = build_model(spec).to(dtype).eval()
        src, lengths = batch
        encoded = model.encoder(src, lengths)
        features = model.decoder(TGT_IN, model.decoder.memory(encoded.values, encoded.mask), encoded.summary)
        w = {name: value.double().numpy() for name, value in model.state_dict().items()}
        for row, length in enumerate(lengths):
            values, summary = encode(w, src[row, :length], bridging=bridging)
            expected = decode(w, decoder, TGT_IN[row], values, summary, residual=residual)
            expected = np.tanh(expected) if readout == "tanh" else expected
            error = np.abs(features[row].detach().double().numpy() - expected).max()
            assert error <= tolerance * np.abs(expected).max()


def gru_weights(w, prefix):
    return [w[f"{prefix}.gru.{kind}_l0"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def encode(w, src, *, bridging):
    embedded = SCALE * w["encoder.embedding.weight"][src]
    ahead = gru(embedded, np.zeros(4), *gru_weights(w, "encoder.layers.0.left_to_right"))
    back = gru(embedded[::-1], np.zeros(4), *gru_weights(w, "encoder.layers.0.right_to_left"))[::-1]
    values = [ahead, back, embedded] if bridging else [ahead, back]
    return np.concatenate(values, axis=1), np.concatenate([ahead[-1], back[0]])


def decode(w, decoder, tgt_in, values, summary, *, residual):
    def move(cell, x, state):
        return gru(x[None], state, *gru_weights(w, cell))[0]

    def look(query):
        names = ("query.weight", "key.weight", "key.bias", "energy.weight")
        w_query, w_key, b_key, v = (w[f"decoder.attending.attention.{name}"] for name in names)
        return additive_attention(query, values, w_query, w_key, b_key, v[0])[0]

    def bridge(layer):
        return np.tanh(
            w[f"decoder.bridge.project.{layer}.weight"] @ summary + w[f"decoder.bridge.project.{layer}.bias"]
        )

    state, upper, fed = bridge(0), bridge(1), np.zeros(5)
    features = []
    for token in tgt_in:
        x = SCALE * w["decoder.embedding.weight"][token]
        if decoder == "parallel":
            output = state = move("decoder.attending.cell", x, state)
            context = look(state)
        elif decoder == "attentional":
            context = look(state)
            output = state = move("decoder.attending.cells.0", np.concatenate([x, context]), state)
        elif decoder == "conditional":
            between = move("decoder.attending.cells.0", x, state)
            context = look(between)
            output = state = move("decoder.attending.cells.1", context, between)
        else:
            state = move("decoder.attending.cells.0", np.concatenate([x, fed]), state)
            context = look(state)
            output = fed = np.tanh(w["decoder.attending.combine.weight"] @ np.concatenate([context, state]))
        upper = move("decoder.layers.0", np.concatenate([output, context]), upper)
        top = output + upper if residual else upper
        seen = np.concatenate([top, context, x])
        features.append(w["decoder.readout.weight"] @ seen + w["decoder.readout.bias"])
    return np.array(features)
