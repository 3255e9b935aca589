"""The training loop: one step, one epoch, all epochs, and going on after a stop.

    for each epoch                      checkpoint last.pt (and best.pt)
        for each batch of the loader    every checkpoint_seconds: last.pt
            forward under autocast, loss, backward, optimizer, average

Everything that decides the next step is in the checkpoint: weights, optimizer,
scaler, step, sums of the epoch, torch's generators and the loader's position.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel

from .checkpoint import load_checkpoint, rng_state, save_checkpoint, set_rng_state
from .metrics import Accuracy
from .optim import WeightAverage, cosine_lr, make_optimizer
from .precision import Precision, pick_precision

Batch: TypeAlias = tuple[Tensor | Sequence[Tensor], Tensor]


class Loader(Protocol):
    """What the loop needs of a loader; ``state_dict`` is used where it is there."""

    def __iter__(self) -> Any: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        epochs: Passes over the training set.
        lr: Highest learning rate.
        optimizer: ``"sgd"`` or ``"adamw"``.
        weight_decay: Of weights; biases and normalisation do not decay.
        warmup_epochs: Linear rise before the cosine; a fraction is fine.
        label_smoothing: Share of the target spread over all classes.
        clip_grad: Largest norm of the gradient, or None.
        ema: Decay of the weights' moving average, which is then what is
            validated; 0 for none.
        precision: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        checkpoint_seconds: Longest time between two checkpoints; only loaders
            with a state can be checkpointed within an epoch.
    """

    epochs: int = 10
    lr: float = 0.1
    optimizer: str = "sgd"
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    label_smoothing: float = 0.1
    clip_grad: float | None = None
    ema: float = 0.0
    precision: str = "auto"
    checkpoint_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be >= 1, got {self.epochs}")
        if not self.lr > 0:
            raise ValueError(f"lr must be > 0, got {self.lr}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), got {self.ema}")
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(
                f"label_smoothing must be in [0, 1], got {self.label_smoothing}"
            )
        for name in ("weight_decay", "warmup_epochs"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class EpochResult:
    """What one epoch came to.

    Attributes:
        epoch: Counted from 1.
        train: ``loss``, ``top1``, ``top5`` over the batches as they were trained.
        val: The same over the validation set after the epoch, or None.
        seconds: The whole epoch, validation included.
        images_per_second: Training alone.
        lr: Learning rate of the last step.
    """

    epoch: int
    train: dict[str, float]
    val: dict[str, float] | None
    seconds: float
    images_per_second: float
    lr: float


def to_device(x: Any, device: torch.device) -> Any:
    """Move a tensor or a sequence of them, without waiting for the copy."""
    if isinstance(x, Tensor):
        return x.to(device, non_blocking=True)
    return tuple(t.to(device, non_blocking=True) for t in x)


def has_convolutions(model: nn.Module) -> bool:
    """Whether channels-last memory is worth while."""
    return any(isinstance(m, nn.Conv2d) for m in model.modules())


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loader: Iterable[Batch],
    device: torch.device | str = "cpu",
    precision: Precision | None = None,
    on_step: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Return loss, top-1 and top-5 accuracy of ``model`` over ``loader``."""
    device = torch.device(device)
    precision = precision or pick_precision("float32", device)
    accuracy = Accuracy(device)
    model.eval()
    for i, (x, target) in enumerate(loader):
        target = target.to(device, non_blocking=True)
        with precision.autocast():
            logits = model(to_device(x, device))
        logits = logits.float()
        accuracy.add(F.cross_entropy(logits, target), logits, target)
        if on_step is not None:
            on_step(i + 1)
    accuracy.reduce()
    return accuracy.result()


@dataclass
class _Progress:
    """Where a run stands."""

    epoch: int = 0
    step: int = 0  # over all epochs
    best: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """Trains one model; not thread-safe.

    Under torch.distributed every process makes one, with a loader of its share;
    gradients are averaged and only rank 0 writes.

    Args:
        model: Its parameters are trained in place, on ``device``.
        train: Yields (x, target).
        val: Likewise, or None.
        settings: How to train.
        device: Where.
        output: Folder for ``last.pt`` and ``best.pt``, or None to write nothing.
        on_step: Called with (phase, batches done, batches, loss or None).
        meta: Plain values kept in the checkpoints, such as the model's name.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Loader,
        val: Loader | None = None,
        settings: Settings | None = None,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        on_step: Callable[[str, int, int, float | None], None] | None = None,
        meta: dict[str, Any] | None = None,
    ):
        self.settings = settings or Settings()
        self.device = torch.device(device)
        self.precision = pick_precision(self.settings.precision, self.device)
        self.train_loader, self.val_loader = train, val
        self.output = Path(output) if output is not None else None
        self.meta = meta or {}
        self._on_step = on_step or (lambda *_: None)
        self.model = model.to(self.device)
        if has_convolutions(model):
            self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._parallel = self._wrap(self.model)
        s = self.settings
        self._optimizer = make_optimizer(self.model, s.optimizer, s.lr, s.weight_decay)
        self._scaler = GradScaler(self.device.type, enabled=self.precision.needs_scaler)
        self.average = WeightAverage(self.model, s.ema) if s.ema else None
        self._accuracy = Accuracy(self.device)
        self._progress = _Progress()
        self._saved = time.monotonic()

    def _wrap(self, model: nn.Module) -> nn.Module:
        if not torch.distributed.is_available() or (
            not torch.distributed.is_initialized()
        ):
            return model
        ids = [self.device.index or 0] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dictionary an epoch, as :class:`EpochResult` has it."""
        return self._progress.history

    @property
    def best_model(self) -> nn.Module:
        """What is validated: the average of the weights where there is one."""
        return self.average.model if self.average else self.model

    def fit(self) -> Iterable[EpochResult]:
        """Train, yielding after each epoch; stop by leaving the iteration."""
        while self._progress.epoch < self.settings.epochs:
            begin = time.perf_counter()
            rate = self._train_epoch()
            train = self._finish_accuracy()
            val = self._validate()
            self._progress.epoch += 1
            result = EpochResult(
                epoch=self._progress.epoch,
                train=train,
                val=val,
                seconds=time.perf_counter() - begin,
                images_per_second=rate,
                lr=self._lr(self._progress.step - 1),
            )
            self._progress.history.append(asdict(result))
            self._save_epoch(result)
            yield result

    def _lr(self, step: int) -> float:
        per_epoch = len(self.train_loader)
        warmup = round(self.settings.warmup_epochs * per_epoch)
        total = self.settings.epochs * per_epoch
        return cosine_lr(step, total, min(warmup, total // 2), self.settings.lr)

    def _train_epoch(self) -> float:
        """Train on what is left of the epoch; returns images per second."""
        self.model.train()
        total = len(self.train_loader)
        already, begin = self._accuracy.samples, time.perf_counter()
        first = self._progress.step - self._progress.epoch * total
        for i, (x, target) in enumerate(self.train_loader, first):
            loss = self._step(to_device(x, self.device), target)
            self._on_step("train", i + 1, total, loss)
            if i + 1 < total:
                self._save_in_time()
        self._progress.step = (self._progress.epoch + 1) * total
        seconds = time.perf_counter() - begin
        return (self._accuracy.samples - already) / max(seconds, 1e-9)

    def _step(self, x: Any, target: Tensor) -> float | None:
        """Train on one batch; returns its loss where that costs no waiting."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._lr(self._progress.step)
        target = target.to(self.device, non_blocking=True)
        smoothing = self.settings.label_smoothing
        with self.precision.autocast():
            logits = self._parallel(x)
        logits = logits.float()
        loss = F.cross_entropy(logits, target, label_smoothing=smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        if self.settings.clip_grad is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_grad)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self.average:
            self.average.update(self.model, self._progress.step)
        self._progress.step += 1
        self._accuracy.add(loss, logits, target)
        return loss.item() if self.device.type == "cpu" else None

    def _finish_accuracy(self) -> dict[str, float]:
        self._accuracy.reduce()
        result = self._accuracy.result()
        self._accuracy = Accuracy(self.device)
        if math.isnan(result["loss"]):
            raise FloatingPointError(
                f"the loss is not a number in epoch {self._progress.epoch + 1}: "
                f"lower lr ({self.settings.lr})"
            )
        return result

    def _validate(self) -> dict[str, float] | None:
        if self.val_loader is None:
            return None
        total = len(self.val_loader)
        return evaluate(
            self.best_model,
            self.val_loader,
            self.device,
            self.precision,
            lambda done: self._on_step("val", done, total, None),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides how training goes on."""
        loader_state = getattr(self.train_loader, "state_dict", None)
        return {
            "model": self.best_model.state_dict(),
            "training": self.model.state_dict() if self.average else None,
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "accuracy": self._accuracy.state_dict(),
            "progress": asdict(self._progress),
            "loader": loader_state() if loader_state else None,
            "rng": rng_state(),
            "settings": asdict(self.settings),
            "meta": self.meta,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, with the settings this trainer was given."""
        self.model.load_state_dict(state["training"] or state["model"])
        if self.average:
            self.average.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._accuracy.load_state_dict(state["accuracy"])
        self._progress = _Progress(**state["progress"])
        load_loader = getattr(self.train_loader, "load_state_dict", None)
        if load_loader is not None and state["loader"] is not None:
            load_loader(state["loader"])
        set_rng_state(state["rng"])

    def resume(self) -> bool:
        """Load ``last.pt`` from the output folder; False if there is none."""
        path = self.output / "last.pt" if self.output is not None else None
        if path is None or not path.exists():
            return False
        self.load_state_dict(load_checkpoint(path))
        return True

    def _save(self, name: str) -> None:
        distributed = torch.distributed.is_available() and (
            torch.distributed.is_initialized()
        )
        if self.output is None or (distributed and torch.distributed.get_rank() > 0):
            return
        save_checkpoint(self.output / name, self.state_dict())
        self._saved = time.monotonic()

    def _save_in_time(self) -> None:
        late = time.monotonic() - self._saved > self.settings.checkpoint_seconds
        if late and hasattr(self.train_loader, "state_dict"):
            self._save("last.pt")

    def _save_epoch(self, result: EpochResult) -> None:
        top1 = (result.val or result.train)["top1"]
        better = top1 > self._progress.best
        self._progress.best = max(top1, self._progress.best)
        self._save("last.pt")
        if better:
            self._save("best.pt")
