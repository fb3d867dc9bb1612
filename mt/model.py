"""The model as plain data (`ModelSpec`) and as a network (`Seq2Seq`), and the one function from the first to the second."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from mt.errors import ConfigError, did_you_mean
from mt.nn.attending import Sizes
from mt.nn.attention import ATTENTIONS
from mt.nn.cells import CELLS, RecurrentLayer
from mt.nn.decoder import DECODERS, READOUTS, Bridge, Decoder
from mt.nn.dropout import Dropout, SequenceDropout
from mt.nn.embedding import TokenEmbedding
from mt.nn.encoder import RecurrentEncoder
from mt.nn.loss import Loss, cross_entropy, log_probabilities, r_drop
from mt.nn.rnn import Bidirectional, DeepTransition, orthogonal_
from mt.text.symbols import PAD

__all__ = ["ModelSpec", "Seq2Seq", "build_model"]

TYING = {
    "none": "every embedding has weights of its own",
    "target": "the output layer shares the target embedding",
    "all": "source embedding, target embedding and output layer are one (needs a joint vocabulary)",
}
RECURRENT_INIT = {
    "uniform": "hidden-to-hidden weights within 1 / sqrt(H), as torch has them",
    "orthogonal": "each gate's hidden-to-hidden weights are an orthogonal matrix (Saxe et al. 2014)",
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
    attention_heads: int = 4
    """Of multi_head attention; the others have one."""
    cell: str = "standard"
    attention: str = "additive"
    decoder: str = "parallel"
    readout: str = "tanh"
    """What the features are put through; folders that do not say so have a tanh."""
    transition_depth: int = 1
    """Recurrent transitions per position, of which only the first reads an input (Miceli Barone et al. 2017)."""
    residual: bool = False
    """Whether every layer but the first adds to what it reads (in the decoder: to the layer below)."""
    source_bridging: bool = False
    """Whether the memory holds the tokens' embeddings too (Kuang et al. 2018)."""
    recurrent_init: str = "uniform"
    tied_embeddings: str = "target"
    dropout: float = 0.3
    """Share of activations dropped: embeddings, the memory, between decoder layers, and the features."""
    variational_dropout: bool = False
    """Whether the same activations are dropped at all positions of a sentence (Gal and Ghahramani 2016)."""
    word_dropout: float = 0.0
    """Share of the tokens on either side whose embeddings are dropped as a whole."""
    recurrent_dropout: float = 0.0
    """Share of the hidden-to-hidden weights dropped (Merity et al. 2018, section 2)."""

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
        problems += [
            f"{field.name} must lie in [0, 1), not {getattr(self, field.name)}"
            for field in fields(self)
            if field.type is float and not 0 <= getattr(self, field.name) < 1
        ]
        tables: dict[str, Mapping[str, Any]] = {
            "cell": CELLS,
            "attention": ATTENTIONS,
            "decoder": DECODERS,
            "readout": READOUTS,
            "recurrent_init": RECURRENT_INIT,
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


class Forced(NamedTuple):
    """What the model says about given translations of B sentences."""

    log_probs: Tensor  # [B, T]: of each token of tgt_out, nats; 0 at PAD
    attention: Tensor  # [B, T, S]


class Seq2Seq(nn.Module):
    """Encoder, decoder, and the output layer between features and vocabulary.

    `loss` is for training; `mt.torch_model.TorchModel` takes the parts for decoding.
    """

    def __init__(self, *, encoder: RecurrentEncoder, decoder: Decoder, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.output = output

    def loss(
        self,
        src: Tensor,
        src_lengths: Tensor,
        tgt_in: Tensor,
        tgt_out: Tensor,
        *,
        label_smoothing: float = 0.0,
        r_drop_alpha: float = 0.0,
    ) -> Loss:
        """Return the loss of a batch, summed over its real target tokens.

        Args:
            src: token ids, [B, S].
            src_lengths: [B].
            tgt_in: BOS and the target without its last token, [B, T].
            tgt_out: the target with EOS, [B, T]; PAD is not scored.
            label_smoothing: see `mt.nn.loss.cross_entropy`.
            r_drop_alpha: see `mt.nn.loss.r_drop`; unless 0, the batch passes through the model twice.
        """
        real = tgt_out != PAD
        targets = tgt_out[real]
        if r_drop_alpha:
            src, src_lengths, tgt_in, real = (torch.cat([part, part]) for part in (src, src_lengths, tgt_in, real))
        encoded = self.encoder(src, src_lengths)
        memory = self.decoder.memory(encoded.values, encoded.mask)
        features = self.decoder(tgt_in, memory, encoded.summary)[real]
        output = self.output.weight, self.output.bias
        if r_drop_alpha:
            passes = features.view(2, len(targets), -1)
            return r_drop(passes, *output, targets, alpha=r_drop_alpha, label_smoothing=label_smoothing)
        return cross_entropy(features, *output, targets, label_smoothing=label_smoothing)

    def forced(self, src: Tensor, src_lengths: Tensor, tgt_in: Tensor, tgt_out: Tensor) -> Forced:
        """Score given translations, position by position what `step` would say; see `loss` for the arguments."""
        encoded = self.encoder(src, src_lengths)
        memory = self.decoder.memory(encoded.values, encoded.mask)
        features, attention = self.decoder.force(tgt_in, memory, encoded.summary)
        return Forced(self._log_probs(features, tgt_out), attention)

    def log_probs(
        self, src: Tensor, src_lengths: Tensor, tgt_in: Tensor, tgt_out: Tensor, *, sentences: Tensor
    ) -> Tensor:
        """Score N given translations, any number of each sentence, [N, T], for training: see `Forced`.

        Args:
            src: token ids, [B, S].
            src_lengths: [B].
            tgt_in: BOS and each translation without its last token, [N, T].
            tgt_out: each translation with EOS, [N, T].
            sentences: which one of src each translation belongs to, [N].
        """
        encoded = self.encoder(src, src_lengths)
        memory = self.decoder.memory(encoded.values, encoded.mask).select(sentences)
        return self._log_probs(self.decoder(tgt_in, memory, encoded.summary[sentences]), tgt_out)

    def _log_probs(self, features: Tensor, tgt_out: Tensor) -> Tensor:
        real = tgt_out != PAD
        found = log_probabilities(features[real], self.output.weight, self.output.bias, tgt_out[real])
        return found.new_zeros(real.shape).masked_scatter(real, found)


def build_model(spec: ModelSpec) -> Seq2Seq:
    """Build a freshly initialised model; draws from torch's global random generator.

    Raises:
        ConfigError: if parts of the spec do not go together.
    """
    try:
        return _build(spec)
    except ValueError as error:
        raise ConfigError(f"the model cannot be built: {error}") from error


def _build(spec: ModelSpec) -> Seq2Seq:
    E, H = spec.embedding_size, spec.decoder_size
    both_directions = 2 * spec.encoder_size
    C = both_directions + E if spec.source_bridging else both_directions
    dropout = (SequenceDropout if spec.variational_dropout else Dropout)(spec.dropout)

    def embedding(vocabulary: int) -> TokenEmbedding:
        return TokenEmbedding(vocabulary=vocabulary, size=E, word_dropout=spec.word_dropout)

    def recurrent(input_size: int, hidden_size: int) -> RecurrentLayer:
        layer = CELLS[spec.cell](
            input_size=input_size, hidden_size=hidden_size, recurrent_dropout=spec.recurrent_dropout
        )
        if spec.transition_depth > 1:
            layer = DeepTransition(first=layer, depth=spec.transition_depth, recurrent_dropout=spec.recurrent_dropout)
        return layer

    target_embedding = embedding(spec.target_vocabulary)
    encoder = RecurrentEncoder(
        embedding=target_embedding if spec.tied_embeddings == "all" else embedding(spec.source_vocabulary),
        layers=[
            Bidirectional(
                left_to_right=recurrent(input_size, spec.encoder_size),
                right_to_left=recurrent(input_size, spec.encoder_size),
            )
            for input_size in [E] + [both_directions] * (spec.encoder_layers - 1)
        ],
        dropout=dropout,
        residual=spec.residual,
        bridging=spec.source_bridging,
    )
    attention = ATTENTIONS[spec.attention](
        query_size=H, value_size=C, attention_size=spec.attention_size, heads=spec.attention_heads
    )
    decoder = Decoder(
        embedding=target_embedding,
        attending=DECODERS[spec.decoder](
            sizes=Sizes(embedding=E, context=C, hidden=H),
            make_cell=lambda input_size: recurrent(input_size, H),
            attention=attention,
        ),
        layers=[recurrent(H + C, H) for _ in range(spec.decoder_layers - 1)],
        bridge=Bridge(summary_size=both_directions, hidden_size=H, layers=spec.decoder_layers),
        readout=nn.Linear(H + C + E, E),
        activation=READOUTS[spec.readout](),
        dropout=dropout,
        residual=spec.residual,
    )
    output = nn.Linear(E, spec.target_vocabulary)
    nn.init.zeros_(output.bias)
    if spec.tied_embeddings == "none":
        nn.init.normal_(output.weight, std=E**-0.5)
    else:
        output.weight = target_embedding.weight
    model = Seq2Seq(encoder=encoder, decoder=decoder, output=output)
    if spec.recurrent_init == "orthogonal":
        orthogonal_(model)
    return model
