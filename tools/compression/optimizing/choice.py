"""The front of what a search kept, and the one that the user's limits pick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline.errors import EegscribeError
from tools.compression.optimizing.walk import PRUNED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.compression.optimizing.walk import Figures, Step, Walk

Preference = Literal["speed", "size", "errors"]

ALIKE = 1.05
"""Times that are no further apart than this are the same, and the smaller file decides.

Medians are compared, each beside the original of the same blocks: tails of walks that were timed
an hour apart tell more of the machine than of the models.
"""


class NothingFitsError(EegscribeError):
    """No step was kept, or none is within the limits."""


class Kept(NamedTuple):
    """A step that was kept, with the walk it belongs to."""

    walk: Walk
    step: Step
    figures: Figures

    @property
    def name(self) -> str:
        """The walk and its steps up to this one."""
        return f"{self.walk.key} {'+'.join(step.name for step in self.chain)}"

    @property
    def chain(self) -> list[Step]:
        """The steps that it is made by, in order: a mixture is made in place of 8 bits."""
        place = self.walk.steps.index(self.step)
        return [step for step in self.walk.steps[: place + 1] if step.is_kept]

    @property
    def steps(self) -> list[str]:
        """The names of the chain, with what was removed."""
        return [
            f"{step.name} {self.walk.key}" if step.name == PRUNED else step.name
            for step in self.chain
        ]

    @property
    def values(self) -> tuple[float, float, int]:
        """Errors above the original's, share of its median time, bytes: less is better."""
        return self.figures.loss.more, self.figures.speed.ratio_p50, self.figures.size_bytes


def kept_of(walks: Sequence[Walk]) -> list[Kept]:
    """Return every step that was kept."""
    return [
        Kept(walk, step, step.figures)
        for walk in walks
        for step in walk.steps
        if step.is_kept and step.figures is not None
    ]


def front(kept: Sequence[Kept]) -> list[Kept]:
    """Return those that no other is at least as good as in everything, and better in something."""
    return [one for one in kept if not any(_is_worse(one, other) for other in kept)]


def _is_worse(one: Kept, other: Kept) -> bool:
    pairs = list(zip(one.values, other.values, strict=True))
    return all(b <= a for a, b in pairs) and any(b < a for a, b in pairs)


def pick(
    kept: Sequence[Kept], *, p99_ms: float | None, most_bytes: int | None, prefer: Preference
) -> Kept:
    """Return the best within the limits.

    Raises:
        NothingFitsError: there is none; says what came nearest.
    """
    if not kept:
        raise NothingFitsError("no step was kept, see the table; the original stays as it is")
    fast = [one for one in kept if p99_ms is None or one.figures.speed.p99_ms <= p99_ms]
    if not fast:
        best = min(one.figures.speed.p99_ms for one in kept)
        raise NothingFitsError(
            f"--p99: got {p99_ms:g} ms, the fastest that was kept takes {best:.3g}"
        )
    small = [one for one in fast if most_bytes is None or one.figures.size_bytes <= most_bytes]
    if not small:
        least = min(one.figures.size_bytes for one in fast)
        raise NothingFitsError(
            f"--size: got {(most_bytes or 0) / 1e3:g} kB, the smallest that was kept has"
            f" {least / 1e3:.0f}"
        )
    if prefer == "size":
        return min(small, key=lambda one: one.figures.size_bytes)
    if prefer == "errors":
        return min(small, key=lambda one: (one.figures.loss.more, one.figures.speed.ratio_p50))
    best = min(one.figures.speed.ratio_p50 for one in small)
    alike = [one for one in small if one.figures.speed.ratio_p50 <= ALIKE * best]
    return min(alike, key=lambda one: one.figures.size_bytes)
