"""What one training step and one validation are, as Lightning asks for them."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mt.data.batching import Batch
from mt.errors import ConfigError, TrainingError
from mt.evaluation.metrics import score_corpus
from mt.model import ModelSpec, build_model
from mt.nn.loss import Loss
from mt.search import Greedy, decode, length_limit
from mt.text.symbols import PAD
from mt.text.tokenizer import Tokenizer
from mt.training.schedules import Schedule

__all__ = ["BLEU", "Sample", "TranslationModule"]

BLEU = "validation/bleu"
"""The metric that chooses checkpoints, steers the plateau schedule and stops early."""


class Sample(NamedTuple):
    """One validated sentence pair; sorts by its place in the corpus."""

    line: int
    source: str
    reference: str
    hypothesis: str


class _Validated:
    """Sums over the batches that one rank has validated."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.tokens = torch.zeros((), dtype=torch.long, device=device)
        self.samples: list[Sample] = []


class TranslationModule(pl.LightningModule):
    """Trains a `Seq2Seq` and measures it on the validation part by loss, perplexity and BLEU of greedy decoding.

    Losses and token counts are summed over all ranks before they are divided, so that uneven batches weigh
    what they hold.

    Args:
        spec: of the model.
        target_tokenizer: turns hypotheses and references back into raw text for BLEU.
        optimizer: takes the parameters.
        scheduler: takes the optimizer.
        label_smoothing: see `mt.nn.loss.chunked_cross_entropy`.
        seed: dropout masks depend on (seed, rank, epoch, batch) alone, so that a resumed run draws the same ones.
    """

    def __init__(
        self,
        *,
        spec: ModelSpec,
        target_tokenizer: Tokenizer,
        optimizer: Callable[[Iterable[Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], Schedule],
        label_smoothing: float = 0.1,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.model = build_model(spec)
        self.target_tokenizer = target_tokenizer
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.signature = ""
        """Of the last validation BLEU."""
        self.samples: list[Sample] = []
        """The last validation, in the order of the corpus."""
        self._validated = _Validated(self.device)

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
        configs: list[dict[str, Any]] = [{"scheduler": schedule.per_step, "interval": "step", "name": "lr"}]
        if schedule.per_validation is not None:
            # stepped in on_validation_epoch_end, before checkpoints are written; here only to be saved with them
            never = {"interval": "step", "frequency": 2**62, "monitor": BLEU, "strict": False, "name": "plateau"}
            configs.append({"scheduler": schedule.per_validation, **never})
        return [optimizer], configs

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make the random draws of this step independent of everything that was drawn before it."""
        entropy = [self.seed, self.global_rank, self.current_epoch, batch_idx]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note what was trained."""
        checkpoint["mt"] = self._identity()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check that the checkpoint continues this very training.

        Raises:
            TrainingError: naming what differs.
        """
        saved, ours = checkpoint.get("mt", {}), self._identity()
        different = [name for name in ours if saved.get(name) != ours[name]]
        if different:
            details = ", ".join(f"{name} was {saved.get(name)} and is {ours[name]}" for name in different)
            raise TrainingError(
                f"the checkpoint belongs to another training ({details}): resume with the settings of its "
                "config.yaml, or start afresh under another name=..."
            )

    def _identity(self) -> dict[str, Any]:
        return {**self.spec.to_dict(), "target_tokenizer": self.target_tokenizer.fingerprint}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean loss per target token over the batches of all ranks."""
        loss = self._loss(batch, label_smoothing=self.label_smoothing)
        if not loss.smoothed.isfinite():
            raise TrainingError(self._not_finite(batch))
        tokens = (batch.tgt_out != PAD).sum()
        self.log("train/loss", loss.cross_entropy / tokens, prog_bar=True, batch_size=len(batch.src))
        # DDP averages over ranks, which hold different numbers of tokens: divide by their mean instead of our own
        everywhere = self._gathered(tokens).double().mean().float() if self.trainer.world_size > 1 else tokens
        return loss.smoothed / everywhere

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the sums, and translate it greedily."""
        self._validated.loss += self._loss(batch).cross_entropy.double()
        self._validated.tokens += (batch.tgt_out != PAD).sum()
        limits = length_limit(batch.src_lengths)
        found = decode(self.model, batch.src, batch.src_lengths, strategy=Greedy(), max_length=limits)
        texts = self.target_tokenizer.decode([list(hypotheses[0].ids) for hypotheses in found])
        self._validated.samples += map(Sample, batch.lines, batch.sources, batch.references, texts)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._validated = _Validated(self.device)

    def on_validation_epoch_end(self) -> None:
        """Score the validation part as a whole and tell the schedule."""
        loss, tokens, samples = self._validated.loss, self._validated.tokens, self._validated.samples
        if self.trainer.world_size > 1:
            loss, tokens = self._gathered(loss).sum(), self._gathered(tokens).sum()
            everywhere: list[list[Sample]] = [[] for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather_object(everywhere, samples)
            samples = [sample for part in everywhere for sample in part]
        self.samples = sorted(samples)
        (bleu,) = score_corpus(
            [sample.hypothesis for sample in self.samples],
            [sample.reference for sample in self.samples],
            metrics=["bleu"],
        )
        self.signature = bleu.signature
        mean = loss / tokens
        self.log("validation/loss", mean.float())
        self.log("validation/perplexity", mean.exp().float())
        self.log(BLEU, bleu.score, prog_bar=True)
        for scheduler in self._schedulers():
            if isinstance(scheduler, ReduceLROnPlateau) and not self.trainer.sanity_checking:
                scheduler.step(bleu.score)

    def _gathered(self, value: Tensor) -> Tensor:
        """Return the value of every rank, [ranks]."""
        return cast(Tensor, self.all_gather(value))

    def _schedulers(self) -> list[Any]:
        found = self.lr_schedulers()
        return found if isinstance(found, list) else [found]

    def _loss(self, batch: Batch, label_smoothing: float = 0.0) -> Loss:
        return self.model.loss(
            batch.src, batch.src_lengths, batch.tgt_in, batch.tgt_out, label_smoothing=label_smoothing
        )

    def _not_finite(self, batch: Batch) -> str:
        return (
            f"the loss of step {self.global_step + 1} is not finite, and training on would ruin the model. Its batch "
            f"held the training pairs of lines {', '.join(map(str, sorted(batch.lines)))}. Look for broken text "
            "there; else lower optimizer.lr or trainer.gradient_clip_val, or use trainer.precision=32-true. "
            "Everything up to the last checkpoint is kept: continue from there with ckpt_path=last"
        )
