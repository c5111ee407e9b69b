"""One walk through the steps: prune, quantize, fewer bits. Each is kept only if the guard lets it.

    original ─▶ pruned ─▶ int8 ─▶ mixed bits          int8 refused ─▶ weights stored in float16

A step is made of the last one that was kept. Its errors are compared with the original's, its time
with the original's and with that of the step before, in the same blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from models.bundle import load_bundle, write_bundle
from pipeline.errors import BundleError
from pipeline.spec import Settings
from runtime.whole_file import write_whole
from tools.compression.guard import WANTED, Claim, Loss, is_fast_enough
from tools.compression.optimizing.steps import recoded
from tools.compression.pruning.bundle import made_bundle
from tools.compression.pruning.structured import sparsity
from tools.compression.pruning.tuning import of_network
from tools.compression.race import Speed, race
from tools.compression.sizes import model_bytes, packed_bytes
from tools.packaging.same_output import ParityError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tools.compression.exam import Exam
    from tools.compression.ground import Ground
    from tools.compression.optimizing.steps import Made
    from tools.compression.pruning.prune import Pruning
    from tools.compression.pruning.structured import Amounts

ORIGINAL = "original"
PRUNED: Final = "pruned"
INT8: Final = "int8"
MIXED: Final = "mixed"
FLOAT16: Final = "float16"
"""Names of the steps, and of the bundles that they make."""

StepName = Literal["pruned", "int8", "mixed", "float16"]

WALK = "walk.json"

N_TIMES: dict[Claim, int] = {"faster": 1, "smaller": 3}
"""How many times the blocks: equal within a twentieth takes more of them than half the time."""


class Limits(NamedTuple):
    """What is allowed and how it is measured: loss of errors, blocks of turns, calls in each."""

    most_lost: float
    n_blocks: int
    n_windows: int


class Figures(Settings, frozen=True, kw_only=True):
    """What was measured of a step.

    ``speed`` is beside the original, ``beside`` beside the last step that was kept.
    """

    size_bytes: int
    packed_bytes: int
    loss: Loss
    speed: Speed
    beside: Speed


class Step(Settings, frozen=True, kw_only=True):
    """One step that was tried, and why it was refused; without figures it could not be made."""

    name: StepName
    claim: Claim
    refused: str | None = None
    figures: Figures | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the next step is made of it."""
        return self.refused is None


class Walk(Settings, frozen=True, kw_only=True):
    """All steps of one walk, in order; ``amounts`` are the shares of each kind of units removed."""

    amounts: dict[str, float]
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """What stands for it among the walks of a search."""
        return key_of(self.amounts)


def key_of(amounts: Amounts) -> str:
    """Return amounts as they are given on a command line; ``whole`` for none."""
    return ",".join(f"{kind}={share:g}" for kind, share in sorted(amounts.items())) or "whole"


class Walker:
    """Walks, and keeps what it made in ``folder``: what is there is not made again.

    Args:
        original: the bundle.
        ground: what may be searched on.
        folder: one folder a walk, in it the steps' bundles.
        limits: what is allowed.
        pruning: of the original; None where its network is not known.
    """

    def __init__(
        self,
        original: Path,
        ground: Ground,
        folder: Path,
        limits: Limits,
        pruning: Pruning | None,
    ) -> None:
        exam = ground.exam()
        if exam is None:
            raise BundleError(f"{original}: nothing tells its errors, wanted labelled recordings")
        self.exam: Exam = exam
        self._original, self._ground, self._folder = original, ground, folder
        self._limits, self._pruning = limits, pruning
        self._windows: NDArray[np.float32] | None = None

    def walk(self, amounts: Amounts) -> Walk:
        """Walk, having removed ``amounts``; nothing is removed where there are none."""
        kept = self._folder / key_of(amounts) / WALK
        if kept.is_file():
            return msgspec.json.decode(kept.read_bytes(), type=Walk)
        found = Walk(amounts=amounts, steps=tuple(self._steps(amounts)))
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, msgspec.json.encode(found))
        return found

    def path(self, amounts: Amounts, step: str) -> Path:
        """Return where the bundle of a step is."""
        return self._folder / key_of(amounts) / f"{step}.eegb"

    def _steps(self, amounts: Amounts) -> list[Step]:
        network, found = self._original, []

        def tried(name: StepName, claim: Claim, before: Path, make: Callable[[], Made]) -> bool:
            step = self._tried(name, claim, self.path(amounts, name), before, make)
            found.append(step)
            return step.is_kept

        if amounts:
            if not tried(PRUNED, "faster", network, lambda: self._pruned(amounts)):
                return found
            network = self.path(amounts, PRUNED)
        ground = self._ground
        if tried(INT8, "faster", network, lambda: recoded(INT8, network, ground)):
            before = self.path(amounts, INT8)
            tried(MIXED, "smaller", before, lambda: recoded(MIXED, network, ground))
        else:
            tried(FLOAT16, "smaller", network, lambda: recoded(FLOAT16, network, ground))
        return found

    def _tried(
        self,
        name: StepName,
        claim: Claim,
        path: Path,
        before: Path,
        make: Callable[[], Made],
    ) -> Step:
        try:
            manifest, files = make()
        except (BundleError, ParityError) as error:
            return Step(name=name, claim=claim, refused=f"cannot be made: {error}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(path, manifest, files)
        key = f"{path.parent.name}/{name}"
        # The original first: all else is compared with it, and it is heard but once.
        heard = {} if ORIGINAL in self.exam.names else {ORIGINAL: self._original}
        self.exam.hear({**heard, key: path})
        loss = self.exam.loss(key, most=self._limits.most_lost)
        paths = {ORIGINAL: self._original, "before": before, name: path}
        raced = race(
            paths,
            self.windows,
            n_blocks=self._limits.n_blocks * N_TIMES[claim],
            n_windows=self._limits.n_windows,
        )
        speed, beside = (raced.speed(name, against=other) for other in (ORIGINAL, "before"))
        bundle = load_bundle(path)
        size, size_before = model_bytes(bundle), model_bytes(load_bundle(before))
        figures = Figures(
            size_bytes=size,
            packed_bytes=packed_bytes(bundle),
            loss=loss,
            speed=speed,
            beside=beside,
        )
        refused = judged(figures, claim, self.exam.unit, is_smaller=size < size_before)
        return Step(name=name, claim=claim, refused=refused, figures=figures)

    @property
    def windows(self) -> NDArray[np.float32]:
        """Windows (n, T, C) that are timed."""
        if self._windows is None:
            self._windows = self._ground.windows()
        return self._windows

    def _pruned(self, amounts: Amounts) -> Made:
        pruning = self._pruning
        if pruning is None:
            raise BundleError("the network is not known, wanted a bundle made by train")
        _, tuned = pruning.shrunk(amounts, name=key_of(amounts))
        return made_bundle(
            PRUNED,
            pruning.parent,
            tuned,
            of_network(pruning.recipe, tuned),
            pruning.task,
            sparsity=sparsity(pruning.network, tuned),
            latency_ms={},
        )


def judged(figures: Figures, claim: Claim, unit: str, *, is_smaller: bool) -> str | None:
    """Return why a step is refused, None where it is kept."""
    if figures.loss.verdict != "held":
        return figures.loss.verdict_said(unit)
    for speed, other in ((figures.beside, "the step before"), (figures.speed, "the original")):
        if not is_fast_enough(speed.ratio_p99_high, claim):
            return (
                f"p99 {speed.ratio_p99:.2f} of the time of {other}, at most"
                f" {speed.ratio_p99_high:.2f}: wanted below {WANTED[claim]:.2f}"
            )
    if claim == "smaller" and not is_smaller:
        return "no smaller than the step before"
    return None
