"""ModelSpec rejects what cannot be built; build_model builds what the spec says."""

import pytest
import torch
from conftest import tiny_spec

from mt.errors import ConfigError
from mt.model import ModelSpec, build_model
from mt.torch_model import TorchModel


def test_spec_survives_plain_data():
    spec = tiny_spec(tied_embeddings="none")
    assert ModelSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "standart"}, "cell 'standart' is unknown. Did you mean 'standard'?"),
        ({"attention": "aditive"}, "Did you mean 'additive'?"),
        ({"decoder": "x"}, "decoder 'x' is unknown. Valid: attentional, conditional, input_feeding, parallel"),
        ({"tied_embeddings": "al"}, "Valid: all, none, target"),
        ({"encoder_layers": 0}, "encoder_layers must be at least 1, not 0"),
        ({"encoder_layers": "two"}, "encoder_layers must be of type int, not 'two'"),
        ({"encoder_layers": True}, "encoder_layers must be of type int, not True"),
        ({"dropout": 1.0}, r"dropout must lie in [0, 1), not 1.0"),
        ({"tied_embeddings": "all"}, "they have 11 and 13 pieces"),
        ({"hidden": 3}, "'hidden' is no setting of a model"),
        ({"word_dropout": -0.1}, "word_dropout must lie in [0, 1), not -0.1"),
        ({"recurrent_init": "x"}, "recurrent_init 'x' is unknown. Valid: orthogonal, uniform"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ConfigError) as caught:
        tiny_spec(**change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": "coverage"}, "the parallel decoder looks from all positions at once"),
        ({"attention": "dot"}, "5"),
        ({"attention": "multi_head", "attention_heads": 2}, "3 cannot be divided into 2"),
        ({"cell": "min_gru", "recurrent_dropout": 0.1}, "min_gru has no hidden-to-hidden weights"),
        ({"cell": "output_gated", "transition_depth": 2}, "a deep transition needs a cell that emits its state"),
    ],
)
def test_what_does_not_go_together_is_named(change, message):
    with pytest.raises(ConfigError, match="the model cannot be built: ") as caught:
        build_model(tiny_spec(**change))
    assert message in str(caught.value)


def test_orthogonal_start():
    model = build_model(tiny_spec(recurrent_init="orthogonal"))
    for gate in model.decoder.layers[0].gru.weight_hh_l0.split(5):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5))


def test_r_drop_passes_twice(batch):
    """Without dropout both passes agree, so that only the cross-entropy is left; with dropout they differ."""
    src, lengths = batch
    tgt_in = torch.tensor([[2, 4, 5], [2, 6, 0], [2, 0, 0]])
    tgt_out = torch.tensor([[4, 5, 3], [6, 3, 0], [3, 0, 0]])
    model = build_model(tiny_spec(dropout=0.3)).double().eval()
    once = model.loss(src, lengths, tgt_in, tgt_out)
    twice = model.loss(src, lengths, tgt_in, tgt_out, r_drop_alpha=5.0)
    torch.testing.assert_close(twice.objective, once.objective)
    model.train()
    losses = []
    for alpha in (1e-9, 5.0):
        torch.manual_seed(1)
        losses.append(model.loss(src, lengths, tgt_in, tgt_out, r_drop_alpha=alpha).objective.item())
    assert losses[1] > losses[0] + 1e-3


@pytest.mark.parametrize("decoder", ["parallel", "conditional"])
def test_any_number_of_translations_of_a_sentence_are_scored(batch, decoder):
    model = build_model(tiny_spec(decoder=decoder)).double().eval()
    src, lengths = batch
    sentences = torch.tensor([1, 1, 0, 1])
    tgt_in = torch.tensor([[2, 4, 5], [2, 6, 0], [2, 0, 0], [2, 7, 7]])
    tgt_out = torch.tensor([[4, 5, 3], [6, 3, 0], [3, 0, 0], [7, 7, 3]])
    scored = model.log_probs(src, lengths, tgt_in, tgt_out, sentences=sentences)
    expected = model.forced(src[sentences], lengths[sentences], tgt_in, tgt_out).log_probs
    torch.testing.assert_close(scored, expected, rtol=1e-12, atol=1e-12)


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(ConfigError, match=r"cell .* unknown.*decoder .* unknown"):
        tiny_spec(cell="a", decoder="b")


def test_missing_vocabularies_are_named():
    with pytest.raises(ConfigError, match="a model needs source_vocabulary and target_vocabulary"):
        ModelSpec.from_dict({})


@pytest.mark.parametrize(("tying", "embeddings"), [("none", 3), ("target", 2), ("all", 1)])
def test_tying_shares_weights(tying, embeddings):
    model = build_model(tiny_spec(tied_embeddings=tying, source_vocabulary=13))
    weights = {model.encoder.embedding.weight, model.decoder.embedding.weight, model.output.weight}
    assert len(weights) == embeddings


@pytest.mark.parametrize("tying", ["none", "target", "all"])
def test_loss_equals_plain_cross_entropy_and_ignores_padding(batch, tying):
    model = build_model(tiny_spec(tied_embeddings=tying, source_vocabulary=13)).double()
    src, lengths = batch
    tgt_in = torch.tensor([[2, 4, 5], [2, 6, 0], [2, 0, 0]])
    tgt_out = torch.tensor([[4, 5, 3], [6, 3, 0], [3, 0, 0]])
    loss = model.loss(src, lengths, tgt_in, tgt_out, label_smoothing=0.1).objective
    encoded = model.encoder(src, lengths)
    features = model.decoder(tgt_in, model.decoder.memory(encoded.values, encoded.mask), encoded.summary)
    expected = torch.nn.functional.cross_entropy(
        model.output(features).flatten(0, 1),
        tgt_out.flatten(),
        ignore_index=0,
        label_smoothing=0.1,
        reduction="sum",
    )
    torch.testing.assert_close(loss, expected)
    ours = torch.autograd.grad(loss, list(model.parameters()))
    encoded = model.encoder(src, lengths)
    theirs = torch.autograd.grad(expected, list(model.parameters()))
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference)


@pytest.mark.parametrize("decoder", ["parallel", "attentional"])
def test_forced_says_what_step_would_say(batch, decoder):
    model = build_model(tiny_spec(decoder=decoder)).double().eval()
    src, lengths = batch
    tgt_in = torch.tensor([[2, 4, 5], [2, 6, 0], [2, 0, 0]])
    tgt_out = torch.tensor([[4, 5, 3], [6, 3, 0], [3, 0, 0]])
    forced = model.forced(src, lengths, tgt_in, tgt_out)
    stepper = TorchModel(model)
    state = stepper.start(src.numpy(), lengths.numpy())
    for t in range(3):
        step = stepper.step(tgt_in[:, t].numpy(), state)
        real = tgt_out[:, t] != 0
        expected = step.log_probs.gather(1, tgt_out[:, t : t + 1])[:, 0]
        torch.testing.assert_close(forced.log_probs[real, t], expected[real], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(forced.attention[real, t], step.attention[real], rtol=1e-12, atol=1e-12)
        assert not forced.log_probs[~real, t].any()
        state = step.state
    total = model.loss(src, lengths, tgt_in, tgt_out).cross_entropy
    torch.testing.assert_close(forced.log_probs.sum(), -total)
