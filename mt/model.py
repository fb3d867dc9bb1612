"""The model as plain data (`ModelSpec`) and as a network (`Seq2Seq`), and the one function from the first to the second."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from mt.errors import ConfigError, did_you_mean
from mt.nn.attention import ATTENTIONS, Memory
from mt.nn.cells import CELLS
from mt.nn.decoder import DECODERS, Bridge, Decoder, DecoderState
from mt.nn.embedding import TokenEmbedding
from mt.nn.encoder import RecurrentEncoder
from mt.nn.loss import Loss, chunked_cross_entropy
from mt.nn.rnn import Bidirectional
from mt.text.symbols import PAD

__all__ = ["ModelSpec", "Seq2Seq", "build_model"]

TYING = {
    "none": "every embedding has weights of its own",
    "target": "the output layer shares the target embedding",
    "all": "source embedding, target embedding and output layer are one (needs a joint vocabulary)",
}


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything that decides the shape of a model: the schema of `model.yaml` and of `conf/model`.

    Raises:
        ConfigError: naming every wrong value at once.
    """

    source_vocabulary: int
    """Source pieces, reserved ids included."""
    target_vocabulary: int
    """Target pieces, reserved ids included."""
    embedding_size: int = 256
    encoder_layers: int = 1
    encoder_size: int = 256
    """Hidden size of each direction of the encoder."""
    decoder_layers: int = 1
    decoder_size: int = 512
    attention_size: int = 256
    cell: str = "standard"
    attention: str = "additive"
    decoder: str = "attentional"
    dropout: float = 0.3
    """Share of activations dropped: embeddings, the memory, between decoder layers, and the features."""
    tied_embeddings: str = "target"

    def __post_init__(self) -> None:
        """Check every field."""
        problems = [*self._type_problems()] or [*self._value_problems()]
        if problems:
            raise ConfigError("the model cannot be built: " + "; ".join(problems))

    def _type_problems(self) -> list[str]:
        problems = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is float and type(value) is int:
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not field.type:
                wanted = cast(type, field.type).__name__
                problems.append(f"{field.name} must be of type {wanted}, not {value!r}")
        return problems

    def _value_problems(self) -> list[str]:
        problems = [
            f"{field.name} must be at least 1, not {getattr(self, field.name)}"
            for field in fields(self)
            if field.type is int and getattr(self, field.name) < 1
        ]
        if not 0 <= self.dropout < 1:
            problems.append(f"dropout must lie in [0, 1), not {self.dropout}")
        tables: dict[str, Mapping[str, Any]] = {
            "cell": CELLS,
            "attention": ATTENTIONS,
            "decoder": DECODERS,
            "tied_embeddings": TYING,
        }
        for name, table in tables.items():
            value = getattr(self, name)
            if value not in table:
                problems.append(f"{name} {value!r} is unknown. {did_you_mean(value, table)}")
        if self.tied_embeddings == "all" and self.source_vocabulary != self.target_vocabulary:
            problems.append(
                "tied_embeddings=all needs one vocabulary for both languages (tokenizer.joint=true), but they have "
                f"{self.source_vocabulary} and {self.target_vocabulary} pieces"
            )
        return problems

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelSpec":
        """Build a spec from plain data. Raises ConfigError at unknown or missing names."""
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ConfigError(f"{name!r} is no setting of a model. {did_you_mean(str(name), known)}")
        missing = {"source_vocabulary", "target_vocabulary"} - set(values)
        if missing:
            raise ConfigError(f"a model needs {' and '.join(sorted(missing))}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads."""
        return asdict(self)


class DecodingState(NamedTuple):
    """A batch of B sentences in the middle of being translated, K hypotheses each (N = B * K rows)."""

    memory: Memory  # of B sentences
    decoder: DecoderState  # of N rows

    def reorder(self, rows: Tensor) -> "DecodingState":
        """Let hypotheses continue others of the same sentence, rows: [N']; K may change."""
        return DecodingState(self.memory, self.decoder.reorder(rows))

    def keep(self, sentences: Tensor) -> "DecodingState":
        """Keep only the sentences at index sentences: [B'], each with all of its hypotheses."""
        B = len(self.memory.mask)
        rows = torch.arange(len(self.decoder[0]), device=sentences.device).view(B, -1)[sentences].flatten()
        return DecodingState(self.memory.select(sentences), self.decoder.reorder(rows))


class Step(NamedTuple):
    """What the model says about the next target token of N rows."""

    log_probs: Tensor  # [N, V]
    state: DecodingState
    attention: Tensor  # [N, S]


class Seq2Seq(nn.Module):
    """Encoder, decoder, and the output layer between features and vocabulary.

    `loss` is for training; `start` and `step` are what search needs (`mt.search.step.Stepper`).
    """

    def __init__(self, *, encoder: RecurrentEncoder, decoder: Decoder, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.output = output

    def loss(
        self, src: Tensor, src_lengths: Tensor, tgt_in: Tensor, tgt_out: Tensor, *, label_smoothing: float = 0.0
    ) -> Loss:
        """Return the loss of a batch, summed over its real target tokens.

        Args:
            src: token ids, [B, S].
            src_lengths: [B].
            tgt_in: BOS and the target without its last token, [B, T].
            tgt_out: the target with EOS, [B, T]; PAD is not scored.
            label_smoothing: see `chunked_cross_entropy`.
        """
        encoded = self.encoder(src, src_lengths)
        memory = self.decoder.memory(encoded.values, encoded.mask)
        features = self.decoder(tgt_in, memory, encoded.summary)
        real = tgt_out != PAD
        return chunked_cross_entropy(
            features[real], self.output.weight, self.output.bias, tgt_out[real], label_smoothing=label_smoothing
        )

    def start(self, src: Tensor, src_lengths: Tensor) -> DecodingState:
        """Read the source, src: [B, S], src_lengths: [B], and get ready to predict its first target token."""
        encoded = self.encoder(src, src_lengths)
        memory = self.decoder.memory(encoded.values, encoded.mask)
        return DecodingState(memory, self.decoder.start(memory, encoded.summary))

    def step(self, prev: Tensor, state: DecodingState) -> Step:
        """Predict the token after prev: [N]."""
        features, decoder_state, attention = self.decoder.step(prev, state.memory, state.decoder)
        logits = self.output(features)
        log_probs = logits.log_softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
        return Step(log_probs, DecodingState(state.memory, decoder_state), attention)


def build_model(spec: ModelSpec) -> Seq2Seq:
    """Build a freshly initialised model; draws from torch's global random generator."""
    make_cell, E, C = CELLS[spec.cell], spec.embedding_size, 2 * spec.encoder_size
    target_embedding = TokenEmbedding(vocabulary=spec.target_vocabulary, size=E)
    source_embedding = target_embedding
    if spec.tied_embeddings != "all":
        source_embedding = TokenEmbedding(vocabulary=spec.source_vocabulary, size=E)
    encoder = RecurrentEncoder(
        embedding=source_embedding,
        layers=[
            Bidirectional(
                left_to_right=make_cell(input_size=E if layer == 0 else C, hidden_size=spec.encoder_size),
                right_to_left=make_cell(input_size=E if layer == 0 else C, hidden_size=spec.encoder_size),
            )
            for layer in range(spec.encoder_layers)
        ],
        dropout=spec.dropout,
    )
    H = spec.decoder_size
    decoder = DECODERS[spec.decoder](
        embedding=target_embedding,
        attention=ATTENTIONS[spec.attention](query_size=H, value_size=C, attention_size=spec.attention_size),
        layers=[
            make_cell(input_size=E + C if layer == 0 else H, hidden_size=H) for layer in range(spec.decoder_layers)
        ],
        bridge=Bridge(summary_size=C, hidden_size=H, layers=spec.decoder_layers),
        context_size=C,
        feature_size=E,
        dropout=spec.dropout,
    )
    output = nn.Linear(E, spec.target_vocabulary)
    nn.init.zeros_(output.bias)
    if spec.tied_embeddings == "none":
        nn.init.normal_(output.weight, std=E**-0.5)
    else:
        output.weight = target_embedding.weight
    return Seq2Seq(encoder=encoder, decoder=decoder, output=output)
