"""Fixtures that several test files share."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mt.model import ModelSpec, Seq2Seq, build_model
from mt.model_folder import LoadedModel, save_model
from mt.search.options import DecodingOptions
from mt.text.tokenizer import TokenizerPair
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers

SENTENCES = [
    "The old dog sleeps in the garden.",
    "A young woman reads a book.",
    "Der alte Hund schläft im Garten.",
    "Eine junge Frau liest ein Buch.",
]


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


def tiny_spec(**changes: object) -> ModelSpec:
    settings = {
        "source_vocabulary": 11,
        "target_vocabulary": 13,
        "embedding_size": 6,
        "encoder_layers": 2,
        "encoder_size": 4,
        "decoder_layers": 2,
        "decoder_size": 5,
        "attention_size": 3,
        "dropout": 0.0,
    }
    return ModelSpec.from_dict({**settings, **changes})


@pytest.fixture
def tiny_model() -> Seq2Seq:
    """A random float64 model with two layers on either side."""
    return build_model(tiny_spec()).double().eval()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Three padded source sentences of 5, 3 and 4 tokens for `tiny_model`."""
    src = torch.tensor([[4, 5, 6, 7, 3], [8, 9, 3, 0, 0], [10, 4, 4, 3, 0]])
    return src, torch.tensor([5, 3, 4])


@pytest.fixture(scope="session")
def tokenizers() -> TokenizerPair:
    settings = TokenizerSettings(model_type="char", vocab_size=60)
    return train_tokenizers(SENTENCES[:2], SENTENCES[2:], settings)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, tokenizers: TokenizerPair) -> Path:
    """A complete model folder with a small untrained model; not to be changed."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run") / "model"
    size = len(tokenizers.source)
    spec = tiny_spec(source_vocabulary=size, target_vocabulary=size, tied_embeddings="all")
    training = {"decoding": {"beam_size": 3, "length_penalty": 0.5, "batch_tokens": 200}}
    save_model(folder, model=build_model(spec), spec=spec, tokenizers=tokenizers, training=training)
    return folder


@pytest.fixture(scope="session")
def exported(
    tmp_path_factory: pytest.TempPathFactory, tokenizers: TokenizerPair
) -> Callable[..., tuple[LoadedModel, Path]]:
    """Return what builds and exports a model, each once: from changes of `tiny_spec` to the model and its ONNX folder.

    All weights are drawn at random, so that no two are alike.
    """
    made: dict[object, tuple[LoadedModel, Path]] = {}

    def export(*, int8: bool = False, **changes: object) -> tuple[LoadedModel, Path]:
        from mt.onnx.export import export_onnx

        key = (int8, *sorted(changes.items()))
        if key not in made:
            torch.manual_seed(1)
            size = len(tokenizers.source)
            spec = tiny_spec(source_vocabulary=size, target_vocabulary=size, **changes)
            model = build_model(spec).eval()
            for parameter in model.parameters():
                parameter.data += 0.3 * torch.randn_like(parameter)
            training = {"step": 7, "decoding": {"beam_size": 3}}
            loaded = LoadedModel(model, spec, tokenizers, DecodingOptions(beam_size=3), training)
            made[key] = loaded, tmp_path_factory.mktemp("exported") / "onnx"
            export_onnx(made[key][1], loaded, int8=int8)
        return made[key]

    return export
