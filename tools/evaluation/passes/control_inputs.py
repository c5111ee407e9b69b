"""What the chain hears in place of the EEG: what it writes then, it did not read from the EEG.

- *white noise*: independent on every channel, as loud as the channel is within a second;
- *phase-randomised*: the recording's own spectra, turned by the same random phases on all channels,
  so that spatial covariance stays and nothing is left of when;
- *another trial's EEG*: every text or trial hears the EEG of another one, of like length, of which
  something else was meant. It is real EEG, of the same person, at the wrong time.

Markers, gaps and samples that are no numbers stay where they are. Noise takes the place of the
whole recording, rests too, so no edge tells where a trial begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.evaluation.pairs import normalise
from tools.training.controls import phase_randomised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.values import Samples
    from tools.evaluation.passes.reel import Reel
    from tools.evaluation.passes.shelf import Shelf

Level = Literal["none", "quick", "full"]

N_SEEDS: dict[Level, int] = {"none": 0, "quick": 1, "full": 3}

ANOTHER = "another trial's EEG"

N_LIKE = 5
"""Among how many of the others that are nearest in length one is drawn."""

LIKE = 0.2
"""Lengths that differ by no more than this share are alike."""

Place = tuple[int, int]
"""A recording's number, and an item's number in it."""


@dataclass(frozen=True, slots=True)
class ControlInput:
    """One input, by name; ``make`` gives it for the whole recording of that number.

    ``make(number, reel)`` returns samples of the shape of the reel's.
    """

    name: str
    make: Callable[[int, Reel], Samples]


def control_inputs(level: Level, shelf: Shelf, *, seed: int) -> list[ControlInput]:
    """Return the inputs of a level; several seeds are numbered.

    Another trial's EEG is left out where there is only one text or symbol in all recordings.
    """
    found = []
    for k in range(N_SEEDS[level]):
        number = "" if k == 0 else f" {k + 1}"
        found.append(ControlInput(f"white noise{number}", _white(seed, k)))
        found.append(ControlInput(f"phase-randomised{number}", _phases(seed, k)))
        plan = others(shelf.reels, seed=seed, turn=k)
        if plan:
            found.append(ControlInput(f"{ANOTHER}{number}", _swapped(shelf, plan)))
    return found


def _white(seed: int, turn: int) -> Callable[[int, Reel], Samples]:
    def make(number: int, reel: Reel) -> Samples:
        return white_like(
            reel.samples, rate_hz=reel.rate_hz, rng=np.random.default_rng([seed, turn, number, 1])
        )

    return make


def _phases(seed: int, turn: int) -> Callable[[int, Reel], Samples]:
    def make(number: int, reel: Reel) -> Samples:
        drawn = np.random.default_rng([seed, turn, number, 2]).integers(2**62)
        return phases_like(reel.samples, seed=int(drawn))

    return make


def _swapped(shelf: Shelf, plan: dict[Place, Place]) -> Callable[[int, Reel], Samples]:
    def make(number: int, reel: Reel) -> Samples:
        samples = reel.samples.copy()
        for k, item in enumerate(reel.items):
            there, place = plan[number, k]
            source = shelf.whole(there)
            first, n_samples = source.items[place].start, item.stop - item.start
            piece = source.samples[first : first + n_samples]
            whole = np.resize(piece, (n_samples, piece.shape[1]))  # it may end with its recording
            samples[item.start : item.stop] = joined(whole, reel.samples[item.start : item.stop])
        return samples

    return make


def white_like(samples: Samples, *, rate_hz: float, rng: np.random.Generator) -> Samples:
    """Return white noise with the offset and level of each channel of ``samples``.

    The level is the standard deviation within a second, the median over seconds: drift, steps and
    bursts are no part of it. What is no number stays so.
    """
    n_piece = min(len(samples), max(2, round(rate_hz)))
    n_pieces = len(samples) // n_piece
    held = _held(samples).astype(np.float64)
    pieces = held[: n_pieces * n_piece].reshape(n_pieces, n_piece, -1)
    level = np.median(pieces.std(axis=1), axis=0)  # (n_channels,)
    noise = rng.standard_normal(samples.shape) * level + np.median(held, axis=0)
    return _where_numbers(samples, noise)


def phases_like(samples: Samples, *, seed: int) -> Samples:
    """Return a surrogate of ``samples`` by :func:`tools.training.controls.phase_randomised`.

    The line from each channel's beginning to its end is taken out before and put back: as a jump
    from end to beginning it would count as signal of all frequencies. What is no number is held
    before, and stays so.
    """
    held = _held(samples).astype(np.float64)
    line = np.linspace(held[0], held[-1], len(held))
    surrogate = phase_randomised((held - line).astype(np.float32), seed=seed)
    return _where_numbers(samples, line + surrogate)


def joined(piece: Samples, own: Samples) -> Samples:
    """Return ``piece`` shifted by a line on each channel, so that its ends lie where ``own``'s do.

    Both are (n_samples, n_channels). Without it every seam would be a step, and a system that errs
    at steps would seem to read EEG.
    """
    put, meant = _held(piece).astype(np.float64), _held(own).astype(np.float64)
    line = np.linspace(meant[0] - put[0], meant[-1] - put[-1], len(put))
    return _where_numbers(own, put + line)


def others(reels: Sequence[Reel], *, seed: int, turn: int = 0) -> dict[Place, Place] | None:
    """Return for each item another one of which something else was meant.

    It is of like length and of the same recording where there is one, else of the same person. None
    where some item has no other.
    """
    rng = np.random.default_rng([seed, turn, 3])
    items = {(r, k): item for r, reel in enumerate(reels) for k, item in enumerate(reel.items)}
    texts = {place: _compared(item.reference) for place, item in items.items()}
    lengths = {place: item.stop - item.start for place, item in items.items()}

    def unlike(place: Place, other: Place) -> tuple[bool, bool, bool, int]:
        """Order the others: the best comes first."""
        away = abs(lengths[other] - lengths[place])
        return (
            away > LIKE * lengths[place],
            other[0] != place[0],
            reels[other[0]].subject != reels[place[0]].subject,
            away,
        )

    found: dict[Place, Place] = {}
    for place in items:
        near = [(place[0], k) for k in range(len(reels[place[0]].items))]
        near = [other for other in near if texts[other] != texts[place]]
        if sum(not unlike(place, other)[0] for other in near) < N_LIKE:
            near = [other for other in items if texts[other] != texts[place]]
        if not near:
            return None
        near.sort(key=lambda other: unlike(place, other))
        found[place] = near[int(rng.integers(min(N_LIKE, len(near))))]
    return found


def _compared(text: str) -> str:
    return normalise(text, "basic") or text


def _where_numbers(samples: Samples, put: NDArray[np.floating]) -> Samples:
    """Return ``put`` where ``samples`` are numbers, else what they are."""
    return np.where(np.isfinite(samples), put.astype(np.float32), samples)


def _held(samples: Samples) -> Samples:
    """Return ``samples`` with the last number held where there is none, 0 before the first."""
    finite = np.isfinite(samples)
    if finite.all():
        return samples
    places = np.where(finite, np.arange(len(samples))[:, None], -1)
    last = np.maximum.accumulate(places, axis=0)
    held = np.take_along_axis(samples, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, held, np.float32(0.0))
