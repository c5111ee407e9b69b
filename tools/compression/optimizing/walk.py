"""One walk through the steps: prune, quantize, fewer bits. Each is kept only if the guard lets it.

    original ─▶ pruned ─▶ int8 ─────────────────────────────────▶ mixed bits
                            └▶ errs too much ─▶ int8, trained ────┘
                            └▶ refused ─▶ weights stored in float16

A step is made of the last one that was kept. Its errors are compared with the original's, its time
with the original's and with that of the step before, in the same blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from models.bundle import Bundle, write_bundle
from models.export import ExportError
from pipeline.errors import BundleError
from pipeline.spec import Settings
from runtime.whole_file import write_whole
from tools.compression.guard import Claim, Loss
from tools.compression.optimizing.steps import Recoder, rounded
from tools.compression.optimizing.verdict import refusal, slowness
from tools.compression.pruning.structured import sparsity
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
    from tools.compression.pruning.prunable import Prunable
    from tools.compression.pruning.structured import Amounts

ORIGINAL = "original"
PRUNED: Final = "pruned"
INT8: Final = "int8"
TRAINED: Final = "int8-trained"
MIXED: Final = "mixed"
FLOAT16: Final = "float16"
"""Names of the steps, and of the bundles that they make."""

StepName = Literal["pruned", "int8", "int8-trained", "mixed", "float16"]

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

    @property
    def speeds(self) -> dict[str, Speed]:
        """Both, by what they are beside."""
        return {"the step before": self.beside, "the original": self.speed}


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

    @property
    def may_be_trained(self) -> bool:
        """Whether it was refused for its errors alone, and without them these texts would tell."""
        if self.is_kept or self.figures is None:
            return False
        loss = self.figures.loss
        is_slow = slowness(self.figures.speeds, self.claim) is not None
        return loss.verdict != "held" and loss.more > 0.0 and loss.could_hold and not is_slow


class Stored(NamedTuple):
    """A bundle and where it is."""

    path: Path
    bundle: Bundle


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
        prunable: the original, None where its network is not known.
    """

    def __init__(
        self,
        original: Stored,
        ground: Ground,
        folder: Path,
        limits: Limits,
        prunable: Prunable | None,
    ) -> None:
        exam = ground.exam()
        if exam is None:
            raise BundleError(
                f"{original.path}: nothing tells its errors, wanted labelled recordings"
            )
        self.exam: Exam = exam
        self._original, self._ground, self._folder = original, ground, folder
        self._limits, self._prunable = limits, prunable
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
        kept, found = self._original, []

        def tried(name: StepName, claim: Claim, make: Callable[[], Made]) -> bool:
            nonlocal kept
            step, stored = self._tried(name, claim, self.path(amounts, name), kept, make)
            found.append(step)
            if step.is_kept and stored is not None:
                kept = stored
            return step.is_kept

        if amounts and not tried(PRUNED, "faster", lambda: self._pruned(amounts)):
            return found
        plain = eight = Recoder(kept.bundle, self._ground)

        def trained() -> Made:
            nonlocal eight
            eight = self._trained(kept.bundle, f"{key_of(amounts)}-{TRAINED}")
            return eight.made(INT8)

        is_eight = tried(INT8, "faster", lambda: plain.made(INT8))
        if found[-1].may_be_trained and self._prunable is not None:
            is_eight = tried(TRAINED, "faster", trained)
        if is_eight:
            tried(MIXED, "smaller", lambda: eight.made(MIXED))
        else:
            tried(FLOAT16, "smaller", lambda: plain.made(FLOAT16))
        return found

    def _tried(
        self,
        name: StepName,
        claim: Claim,
        path: Path,
        before: Stored,
        make: Callable[[], Made],
    ) -> tuple[Step, Stored | None]:
        """Return what became of a step, and its bundle if it could be made."""
        try:
            manifest, files = make()
        except (BundleError, ExportError, ParityError) as error:
            return Step(name=name, claim=claim, refused=f"cannot be made: {error}"), None
        path.parent.mkdir(parents=True, exist_ok=True)
        bundle = Bundle(manifest, write_bundle(path, manifest, files), files)
        key = f"{path.parent.name}/{name}"
        # The original first: all else is compared with it, and it is heard but once.
        heard = {} if ORIGINAL in self.exam.names else {ORIGINAL: self._original.path}
        self.exam.hear({**heard, key: path})
        raced = race(
            {ORIGINAL: self._original.path, "before": before.path, name: path},
            self.windows,
            n_blocks=self._limits.n_blocks * N_TIMES[claim],
            n_windows=self._limits.n_windows,
        )
        figures = Figures(
            size_bytes=model_bytes(bundle),
            packed_bytes=packed_bytes(bundle),
            loss=self.exam.loss(key, most=self._limits.most_lost),
            speed=raced.speed(name, against=ORIGINAL),
            beside=raced.speed(name, against="before"),
        )
        refused = refusal(figures.loss, figures.speeds, claim, unit=self.exam.unit)
        if claim == "smaller" and figures.size_bytes >= model_bytes(before.bundle):
            refused = refused or "no smaller than the step before"
        step = Step(name=name, claim=claim, refused=refused, figures=figures)
        return step, Stored(path, bundle)

    @property
    def windows(self) -> NDArray[np.float32]:
        """Windows (n, T, C) that are timed."""
        if self._windows is None:
            self._windows = self._ground.windows()
        return self._windows

    def _pruned(self, amounts: Amounts) -> Made:
        prunable = self._known()
        tuned = prunable.tuned(prunable.cut(amounts), name=key_of(amounts))
        return prunable.made(PRUNED, tuned, sparsity=sparsity(prunable.network, tuned))

    def _trained(self, bundle: Bundle, name: str) -> Recoder:
        return rounded(bundle, self._ground, self._known(), name=name)

    def _known(self) -> Prunable:
        if self._prunable is None:
            raise BundleError("the network is not known, wanted a bundle made by train")
        return self._prunable
