"""What one training step and one validation are, as Lightning asks for them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import GradClipAlgorithmType
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mt.data.batching import Batch
from mt.errors import ConfigError, TrainingError
from mt.evaluation.metrics import VALIDATION_BLEU, score_corpus
from mt.model import ModelSpec, build_model
from mt.nn.loss import Loss
from mt.search import Greedy, decode, length_limit
from mt.text.symbols import PAD
from mt.text.tokenizer import Tokenizer
from mt.torch_model import TorchModel
from mt.training.risk import MinimumRisk
from mt.training.schedules import Schedule

__all__ = ["Sample", "TranslationModule"]

AFTER_DIVERGENCE = (
    "start afresh with a lower optimizer.lr, or with trainer.precision=32-true. The best model so far and the last "
    "checkpoint are kept, if there were any"
)


class Sample(NamedTuple):
    """One validated sentence pair; sorts by its place in the corpus."""

    line: int
    source: str
    reference: str
    hypothesis: str


@dataclass
class _Validated:
    """Sums over the batches that one rank has validated."""

    loss: float = 0.0
    tokens: int = 0
    samples: list[Sample] = field(default_factory=list)


class TranslationModule(pl.LightningModule):
    """Trains a `Seq2Seq` and measures it on the validation part by loss, perplexity and BLEU of greedy decoding.

    Losses and token counts are summed over all ranks before they are divided, so that uneven batches weigh
    what they hold.

    Args:
        spec: of the model.
        target_tokenizer: turns hypotheses and references back into raw text for BLEU.
        optimizer: takes the parameters.
        scheduler: takes the optimizer.
        label_smoothing: see `mt.nn.loss.cross_entropy`.
        r_drop: weight of the divergence between two passes, see `mt.nn.loss.r_drop`; 0 makes one pass.
        minimum_risk: ends the training by lowering the expected cost of what search finds; None does not.
        identity: plain values that a checkpoint must share with the run that continues it.
        seed: dropout masks depend on (seed, rank, epoch, batch) alone, so that a resumed run draws the same ones.
    """

    def __init__(
        self,
        *,
        spec: ModelSpec,
        target_tokenizer: Tokenizer,
        optimizer: Callable[[Iterable[Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], Schedule],
        identity: dict[str, Any],
        label_smoothing: float = 0.1,
        r_drop: float = 0.0,
        minimum_risk: MinimumRisk | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__()
        if not (isinstance(label_smoothing, int | float) and 0 <= label_smoothing < 1):
            raise ConfigError(f"label_smoothing must lie in [0, 1), not {label_smoothing!r}")
        if not (isinstance(r_drop, int | float) and r_drop >= 0):
            raise ConfigError(f"r_drop must be at least 0, not {r_drop!r}")
        self.spec = spec
        self.model = build_model(spec)
        self.target_tokenizer = target_tokenizer
        self.identity = identity
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.label_smoothing = label_smoothing
        self.r_drop = r_drop
        self.minimum_risk = minimum_risk
        self.seed = seed
        self.signature = ""
        """Of the last validation BLEU."""
        self.samples: list[Sample] = []
        """The last validation, in the order of the corpus."""
        self._validated = _Validated()
        self._lines: list[int] = []
        """Of the batch that is being trained on."""

    def configure_optimizers(self) -> Any:
        """Connect optimizer and schedule.

        Raises:
            ConfigError: if they reject their settings.
        """
        try:
            optimizer = self.optimizer(self.parameters())
            schedule = self.scheduler(optimizer)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"optimizer or scheduler cannot be built: {error}") from error
        if self.trainer.precision == "16-mixed" and self.trainer.gradient_clip_val and optimizer.defaults.get("fused"):
            raise ConfigError(
                "trainer.precision=16-mixed scales the gradients, and a fused optimizer scales them back too late for them "
                "to be clipped: add optimizer.fused=false, or choose trainer.precision=bf16-mixed"
            )
        configs: list[dict[str, Any]] = [{"scheduler": schedule.per_step, "interval": "step", "name": "lr"}]
        if schedule.per_validation is not None:
            # stepped in on_validation_epoch_end, before checkpoints are written; here only to be saved with them
            never = {
                "interval": "step",
                "frequency": 2**62,
                "monitor": VALIDATION_BLEU,
                "strict": False,
                "name": "plateau",
            }
            configs.append({"scheduler": schedule.per_validation, **never})
        return [optimizer], configs

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make the random draws of this step independent of everything that was drawn before it."""
        self._lines = batch.lines
        entropy = [self.seed, self.global_rank, self.current_epoch, batch_idx]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note what was trained."""
        checkpoint["mt"] = self.identity

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check that the checkpoint continues this very training.

        Raises:
            TrainingError: naming what differs.
        """
        saved = checkpoint.get("mt", {})
        different = [name for name in self.identity if saved.get(name) != self.identity[name]]
        if different:
            details = ", ".join(f"{name} was {saved.get(name)} and is {self.identity[name]}" for name in different)
            raise TrainingError(
                f"the checkpoint belongs to another training ({details}): resume with the settings of its "
                "config.yaml, or start afresh under another name=..."
            )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean loss per target token over the batches of all ranks, and the mean risk per sentence if it is time."""
        loss = self._loss(batch, label_smoothing=self.label_smoothing, r_drop_alpha=self.r_drop)
        tokens = (batch.tgt_out != PAD).sum()
        self._require_finite(loss.objective, "loss")
        self.log("train/loss", loss.cross_entropy / tokens, prog_bar=True, batch_size=len(batch.src))
        objective = self._mean(loss.objective, tokens)
        if self.minimum_risk and self.global_step >= self.minimum_risk.from_step:
            risk = self.minimum_risk(self.model, batch, self.target_tokenizer)
            self._require_finite(risk, "risk")
            self.log("train/risk", risk.detach() / len(batch.src), prog_bar=True, batch_size=len(batch.src))
            objective = self.minimum_risk.likelihood * objective + self._mean(risk, tokens.new_tensor(len(batch.src)))
        return objective

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Stop before gradients that are not finite reach the weights (a loss scaler skips such steps by itself); clip.

        Lightning's own clipping refuses fused optimizers under bf16-mixed too, although nothing is scaled there.
        """
        norm = get_total_norm([weight.grad for weight in self.parameters() if weight.grad is not None])
        if self.trainer.precision != "16-mixed":
            self._require_finite(norm, "gradient")
        if not gradient_clip_val:
            return
        if gradient_clip_algorithm == GradClipAlgorithmType.VALUE:
            clip_grad_value_(self.parameters(), gradient_clip_val)
        else:
            clip_grads_with_norm_(self.parameters(), gradient_clip_val, norm)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the sums, and translate it greedily."""
        self._validated.loss += float(self._loss(batch).cross_entropy)
        self._validated.tokens += int((batch.tgt_out != PAD).sum())
        src, src_lengths = batch.src.cpu().numpy(), batch.src_lengths.cpu().numpy()
        limits = length_limit(src_lengths)
        found = decode(TorchModel(self.model), src, src_lengths, strategy=Greedy(), max_length=limits)
        if not all(found):
            raise TrainingError(
                f"the weights are not finite any more after step {self.global_step}, and translate nothing: "
                f"{AFTER_DIVERGENCE}"
            )
        texts = self.target_tokenizer.decode([list(hypotheses[0].ids) for hypotheses in found])
        self._validated.samples += map(Sample, batch.lines, batch.sources, batch.references, texts)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._validated = _Validated()

    def on_validation_epoch_end(self) -> None:
        """Score the validation part as a whole and tell the schedule."""
        parts = [self._validated]
        if self.trainer.world_size > 1:
            parts *= self.trainer.world_size
            torch.distributed.all_gather_object(parts, self._validated)
        self.samples = sorted(sample for part in parts for sample in part.samples)
        (bleu,) = score_corpus(
            [sample.hypothesis for sample in self.samples],
            [sample.reference for sample in self.samples],
            metrics=["bleu"],
        )
        self.signature = bleu.signature
        mean = sum(part.loss for part in parts) / sum(part.tokens for part in parts)
        self.log("validation/loss", mean)
        self.log("validation/perplexity", math.exp(min(mean, 700.0)))
        self.log(VALIDATION_BLEU, bleu.score, prog_bar=True)
        for scheduler in self._schedulers():
            if isinstance(scheduler, ReduceLROnPlateau) and not self.trainer.sanity_checking:
                scheduler.step(bleu.score)

    def _mean(self, total: Tensor, count: Tensor) -> Tensor:
        # DDP averages over ranks, which hold different counts: divide by their mean instead of our own
        return total / self._gathered(count).float().mean()

    def _gathered(self, value: Tensor) -> Tensor:
        """Return the value of every rank, [ranks]."""
        return cast(Tensor, self.all_gather(value)).reshape(-1)

    def _schedulers(self) -> list[Any]:
        found = self.lr_schedulers()
        return found if isinstance(found, list) else [found]

    def _loss(self, batch: Batch, **options: float) -> Loss:
        return self.model.loss(batch.src, batch.src_lengths, batch.tgt_in, batch.tgt_out, **options)

    def _require_finite(self, value: Tensor, name: str) -> None:
        """Raise a TrainingError on all ranks if the value of one of them is not finite."""
        if not self._gathered(value.detach()).isfinite().all():
            raise TrainingError(
                f"the {name} of step {self.global_step + 1} is not finite, and training on would ruin the model. Its "
                f"batch held the training pairs of lines {', '.join(map(str, sorted(self._lines)))}. Look for broken "
                f"text there; else {AFTER_DIVERGENCE}"
            )
