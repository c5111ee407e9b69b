"""Trains a learner on examples, one step after the other, and may be killed at any of them.

A step is a function of its number, the weights and the optimiser's moments: what a checkpoint
holds is all there is, and a training that was killed ends with the weights it would have had.
Fabric gives precision, devices and processes; processes share the rows of every step's batch.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from pipeline.errors import UsageError
from tools.training import checkpoint, state
from tools.training.checkpoint import Best, Counters
from tools.training.fabric import make_fabric
from tools.training.learner import Opaque
from tools.training.metrics import Metrics
from tools.training.observer import Observer, Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lightning_fabric import Fabric
    from torch import Tensor

    from tools.training.data.examples import Examples
    from tools.training.learner import Learner
    from tools.training.metrics import Row
    from tools.training.train_settings import TrainSettings

N_VALIDATION = 4
"""Batches that validation hears: the first ones of its examples."""


def train(
    learner: Learner,
    examples: Examples,
    settings: TrainSettings,
    *,
    folder: Path,
    identity: str,
    fabric: Fabric | None = None,
    validation: Examples | None = None,
    keep_at_min: Sequence[float] = (),
    on_step: Callable[[int], None] | None = None,
    on_rows: Callable[[list[Row]], None] | None = None,
    observer: Observer | None = None,
) -> None:
    """Train ``learner``; goes on from the checkpoint in ``folder`` where there is one.

    Args:
        learner: trained in place, on the host's processor without ``fabric``.
        examples: of which each step's batch is made.
        settings: of the training.
        folder: where checkpoint and metrics are kept.
        identity: stands for the examples, the learner and its network.
        fabric: launched.
        validation: its first batches are heard every so often.
        keep_at_min: minutes of training at which the network's weights are kept for a look.
        on_step: hears how many steps are done.
        on_rows: hears the figures of many steps at a time.
        observer: looks at what the training does.

    Raises:
        UsageError: the checkpoint is of other data or other settings.
        RecordingError: the checkpoint is damaged.
    """
    training = Training(
        learner,
        settings,
        folder=folder,
        identity=identity,
        fabric=fabric or make_fabric(settings.precision),
        keep_at_min=keep_at_min,
    )
    training.run(
        examples, validation=validation, on_step=on_step, on_rows=on_rows, observer=observer
    )


def check_resumable(folder: Path, identity: str, settings: TrainSettings) -> None:
    """Refuse to go on from what another training left in ``folder``.

    Raises:
        UsageError: the checkpoint is of other data or other settings.
        RecordingError: it is damaged.
    """
    counters = checkpoint.load_counters(folder)
    if counters is not None and counters.identity != _identity(identity, settings):
        raise UsageError(
            f"{folder}: holds a training of other data or settings ({counters.step} steps done), "
            "must be of these; remove it or choose another --out"
        )


class Training:
    """One training on its way; arguments and errors as of :func:`train`."""

    def __init__(
        self,
        learner: Learner,
        settings: TrainSettings,
        *,
        folder: Path,
        identity: str,
        fabric: Fabric,
        keep_at_min: Sequence[float] = (),
    ) -> None:
        self.learner = learner.train()
        self.settings = settings
        self._folder, self._fabric = folder, fabric
        self._identity = _identity(identity, settings)
        found = checkpoint.load(folder)
        counters, tensors = found or (Counters(step=0, identity=self._identity, tensors=""), {})
        check_resumable(folder, identity, settings)
        if found is not None:
            learner.load_state_dict(state.taken("weights", tensors))
        self.step, self.best = counters.step, counters.best
        self.is_over = counters.is_stopped or self.step >= settings.n_steps
        self._best_weights = state.taken("best", tensors)
        optimiser = torch.optim.AdamW(
            learner.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
        )
        self._module, self._optimiser = fabric.setup(learner, optimiser)
        if found is not None:
            state.load_moments(optimiser, state.taken("moments", tensors))
            state.load_scaler(fabric, counters.scaler)
        self._observer = Observer()
        self._metrics = Metrics(folder / checkpoint.METRICS, step=self.step)
        self._keep_at_s = sorted(60.0 * minutes for minutes in keep_at_min)
        self._trained_s = counters.trained_s
        self._since = time.monotonic()

    def run(
        self,
        examples: Examples,
        *,
        validation: Examples | None = None,
        on_step: Callable[[int], None] | None = None,
        on_rows: Callable[[list[Row]], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Take the steps that are left.

        Raises:
            UsageError: there is nothing to validate on.
        """
        settings = self.settings
        if settings.validate_every and validation is None:
            raise UsageError(
                "training.validate_every: nothing is held out for it, wanted data.held_out above 0"
            )
        self._observe(observer, examples)
        self._since = time.monotonic() - self._trained_s
        self._skip_kept()
        with ThreadPoolExecutor(1) as ahead:  # the next batch is made while this one is learnt
            coming = ahead.submit(self._batch, examples, self.step)
            while not self.is_over:
                batch = coming.result()
                self._observer.did("data")
                if self.step + 1 < settings.n_steps:
                    coming = ahead.submit(self._batch, examples, self.step + 1)
                self._descend(batch, self._share(examples))
                self.step += 1
                if validation is not None and self._is_due(settings.validate_every):
                    self._validate(validation)
                self.is_over |= self.step >= settings.n_steps
                if on_step is not None:
                    on_step(self.step)
                self._keep()
                self._keep_early()
                if self.is_over or self._is_due(settings.checkpoint_every):
                    rows = self._save()
                    if on_rows is not None:
                        on_rows(rows)
                self._observer.on_step(self.step)
        self._observer.on_end(self.step)
        if settings.patience and self._best_weights:
            self.learner.load_state_dict(self._best_weights)
        self.learner.eval()

    def _observe(self, observer: Observer | None, examples: Examples) -> None:
        """Let the first of the processes be watched."""
        if observer is not None and self._fabric.is_global_zero:
            self._observer = observer
            optimiser = self._optimiser.optimizer
            watched = Watched(
                self.learner, examples, self._fabric, optimiser, self.settings.n_steps
            )
            observer.on_start(self.step, watched)

    @property
    def trained_s(self) -> float:
        """Return for how long the training has been running, over all its processes' lives."""
        return time.monotonic() - self._since

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _rows(self) -> slice:
        return slice(self._fabric.global_rank, None, self._fabric.world_size)

    def _share(self, examples: Examples) -> float:
        """Return how much this process's rows weigh, so that the mean over all is the batch's."""
        n_processes = self._fabric.world_size
        if n_processes == 1:
            return 1.0
        n_mine = len(range(examples.n_batch)[self._rows()])
        return n_mine * n_processes / examples.n_batch

    def _batch(self, examples: Examples, step: int) -> Any:
        rows = None if self._fabric.world_size == 1 else self._rows()
        return examples.batch(step, progress=step / self.settings.n_steps, rows=rows)

    def _seed(self, step: int, rank: int) -> None:
        """Make the draws of a step its own, so that a training that was killed repeats them."""
        number = (self.settings.seed * 1_000_003 + step) * 1_009 + rank
        if self._fabric.device.type == "cpu":  # a tenth of a millisecond less than seeding them all
            torch.default_generator.manual_seed(number)
        else:
            torch.manual_seed(number)

    def _descend(self, batch: Any, share: float) -> None:
        """Take one step of gradient descent."""
        settings = self.settings
        self._seed(self.step, self._fabric.global_rank)
        rate = settings.rate_at(self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        loss = self._module(Opaque(batch), progress=self.step / settings.n_steps) * share
        self._observer.did("forward")
        self._optimiser.zero_grad()
        self._fabric.backward(loss)
        self._observer.did("backward")
        self._observer.on_backward(self.step)
        norm = self._fabric.clip_gradients(
            self._module,
            self._optimiser,
            max_norm=settings.largest_gradient,
            error_if_nonfinite=False,
        )
        self._optimiser.step()
        self._observer.did("optimiser")
        figures: dict[str, Tensor | float] = {"loss": loss.detach()}
        figures["gradient"] = torch.nan if norm is None else norm.detach()
        figures |= {name: value * share for name, value in self.learner.parts.items()}
        self._metrics.add(figures, step=self.step + 1, rate=rate)

    def _validate(self, validation: Examples) -> None:
        """Hear the validation examples; stop where they have not improved for long."""
        settings = self.settings
        found = self._fabric.broadcast(self._measured(validation))
        self._metrics.add({f"validation_{k}": v for k, v in found.items()}, step=self.step)
        if settings.monitor not in found:
            raise UsageError(
                f"training.monitor: got {settings.monitor!r}, wanted one of {', '.join(found)}"
            )
        value = found[settings.monitor]
        if self.best is None or value < self.best.value:
            self.best = Best(value, self.step)
            if settings.patience:
                weights = self.learner.state_dict()
                self._best_weights = {name: tensor.clone() for name, tensor in weights.items()}
        else:
            self.best = msgspec.structs.replace(self.best, n_since=self.best.n_since + 1)
            self.is_over |= 0 < settings.patience <= self.best.n_since

    def _measured(self, validation: Examples) -> dict[str, float]:
        """Return the figures of the validation examples, each a mean over batches."""
        batches: list[dict[str, Tensor | float]] = []
        self.learner.eval()
        with torch.no_grad(), self._fabric.autocast():
            for number in range(N_VALIDATION):
                self._seed(number, 0)
                batches.append(self.learner.measure(validation.batch(number, progress=1.0)))
        self.learner.train()
        return {name: sum(float(b[name]) for b in batches) / N_VALIDATION for name in batches[0]}

    def _save(self) -> list[Row]:
        """Write figures and checkpoint; return the new figures."""
        rows = self._metrics.flush(self._fabric)
        if self._fabric.is_global_zero:
            counters = Counters(
                step=self.step,
                identity=self._identity,
                tensors=f"step-{self.step:06d}.safetensors",
                trained_s=self.trained_s,
                best=self.best,
                is_stopped=self.is_over,
                scaler=state.scaler(self._fabric),
            )
            tensors = state.named("weights", self.learner.state_dict())
            tensors |= state.named("best", self._best_weights)
            tensors |= state.named("moments", state.moments(self._optimiser.optimizer))
            checkpoint.save(self._folder, counters, tensors)
            self._observer.on_save(self.step)
        return rows

    def _keep_early(self) -> None:
        """Keep the network's weights where so few steps are done as was asked for."""
        if self.settings.keep_early == self.step and self._fabric.is_global_zero:
            self._folder.mkdir(parents=True, exist_ok=True)
            weights = self.learner.network.state_dict()
            checkpoint.write_tensors(self._folder / checkpoint.EARLY, weights)

    def _skip_kept(self) -> None:
        while self._keep_at_s and self._keep_at_s[0] <= self._trained_s:
            self._keep_at_s.pop(0)

    def _keep(self) -> None:
        """Keep the network's weights where the next of the asked minutes has come."""
        if self._keep_at_s and self.trained_s >= self._keep_at_s[0]:
            minutes = self._keep_at_s.pop(0) / 60.0
            if self._fabric.is_global_zero:
                self._folder.mkdir(parents=True, exist_ok=True)
                checkpoint.write_tensors(
                    self._folder / f"minutes-{minutes:07.2f}.safetensors",
                    self.learner.network.state_dict(),
                )


def _identity(identity: str, settings: TrainSettings) -> str:
    """Return a digest of all that decides the weights."""
    return hashlib.sha256(
        b"\0".join((identity.encode(), msgspec.json.encode(settings)))
    ).hexdigest()
