"""Which of a stream's channels are wanted, in which order, and what makes them microvolts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

MICROVOLTS = frozenset({"uv", "µv", "μv", "microvolt", "microvolts"})
MILLIVOLTS = frozenset({"mv", "millivolt", "millivolts"})
VOLTS = frozenset({"v", "volt", "volts"})
NANOVOLTS = frozenset({"nv", "nanovolt", "nanovolts"})


def microvolts_per(unit: str) -> float | None:
    """Return how many microvolts one ``unit`` is; None for a unit that is missing or not known."""
    name = unit.strip().lower()
    for names, factor in ((MICROVOLTS, 1.0), (MILLIVOLTS, 1e3), (VOLTS, 1e6), (NANOVOLTS, 1e-3)):
        if name in names:
            return factor
    return None


@dataclass(frozen=True, slots=True)
class Montage:
    """How raw values become the wanted channels in microvolts.

    ``columns`` (n_wanted,) indexes the stream's channels; ``to_uv`` (n_wanted,) multiplies them;
    ``assumed`` are the wanted channels whose unit was missing or not known and taken as µV;
    ``is_identity`` says that all of the stream's channels are wanted, as they are.
    """

    channels: tuple[str, ...]
    columns: NDArray[np.intp]
    to_uv: NDArray[np.float32]
    assumed: tuple[str, ...]
    is_identity: bool

    def apply(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return ``(n_samples, n_wanted)`` float32 µV of raw values ``(n_samples, n_channels)``.

        Where nothing is to be done they are the raw values themselves.
        """
        if self.is_identity and values.dtype == np.float32:
            return cast("NDArray[np.float32]", values)
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number taints, later
            picked = values[:, self.columns].astype(np.float32, copy=False)
            return picked if (self.to_uv == 1.0).all() else picked * self.to_uv


def make_montage(
    labels: Sequence[str],
    units: Sequence[str],
    *,
    wanted: Sequence[str] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Montage:
    """Return the montage that picks ``wanted`` in that order, or all channels as they are.

    Args:
        labels: the stream's channel names.
        units: their units, as the stream says.
        wanted: names asked for.
        renamed: wanted name to the stream's label, where they differ.

    Raises:
        ValueError: a wanted channel is not there, or twice.
    """
    names = tuple(labels if wanted is None else wanted)
    asked = [(renamed or {}).get(name, name) for name in names]
    counts = Counter(labels)
    missing = [label for label in asked if counts[label] == 0]
    if missing:
        raise ValueError(
            f"lacks {', '.join(missing[:6])}{' …' if len(missing) > 6 else ''};"
            f" it has {', '.join(labels)}"
        )
    double = [label for label in asked if counts[label] > 1]
    if double:
        raise ValueError(f"has several channels named {double[0]}, wanted each name once")
    columns = np.array([labels.index(label) for label in asked], dtype=np.intp)
    factors = [microvolts_per(units[k]) for k in columns]
    to_uv = np.array([1.0 if f is None else f for f in factors], dtype=np.float32)
    return Montage(
        channels=names,
        columns=columns,
        to_uv=to_uv,
        assumed=tuple(n for n, f in zip(names, factors, strict=True) if f is None),
        is_identity=np.array_equal(columns, np.arange(len(labels))) and bool((to_uv == 1.0).all()),
    )
