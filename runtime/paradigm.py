"""The simulated person: what characters there are, and the pattern each leaves in the EEG.

A character is a burst at one of four carriers, with one spatial pattern over the scalp. Patterns of
one carrier are alike, as those of movements of one limb are: a share of each is common to them all.
Nothing here depends on a session's seed, so what is learnt from one session holds in the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UsageError

ALPHABET = "abcdefghijklmnopqrstuvwxyz '.,?"
"""What the simulated person can type; upper-case letters are folded to these."""

CHANNELS = (
    "Fp1", "Fp2", "F3", "Fz", "F4", "T7", "C3", "Cz",
    "C4", "T8", "P3", "Pz", "P4", "O1", "Oz", "O2",
)  # fmt: skip

_POSITIONS = (
    (-0.3, 0.9), (0.3, 0.9), (-0.4, 0.5), (0.0, 0.5), (0.4, 0.5), (-0.9, 0.0), (-0.45, 0.0),
    (0.0, 0.0), (0.45, 0.0), (0.9, 0.0), (-0.4, -0.5), (0.0, -0.5), (0.4, -0.5), (-0.3, -0.9),
    (0.0, -0.95), (0.3, -0.9),
)  # fmt: skip

CARRIERS_HZ = (10.0, 15.0, 20.0, 25.0)

BAND_HALF_WIDTH_HZ = 2.5
"""A pattern's band is its carrier ± this; signal-to-noise is measured in that band."""

COMMON = 0.7
"""Share of a pattern's power that all patterns of its carrier have in common."""

_PERSON_SEED = 20_250_101


@dataclass(frozen=True, slots=True)
class Pattern:
    """One character's trace: ``carrier_hz`` and ``weights`` (n_channels,) of mean square one."""

    carrier_hz: float
    weights: NDArray[np.float64]

    @property
    def band_hz(self) -> tuple[float, float]:
        """The band in which its power is compared with the background's."""
        return self.carrier_hz - BAND_HALF_WIDTH_HZ, self.carrier_hz + BAND_HALF_WIDTH_HZ


def positions() -> NDArray[np.float64]:
    """Return the electrodes seen from above, (n_channels, 2), nose up, head radius one."""
    return np.array(_POSITIONS)


@cache
def patterns() -> dict[str, Pattern]:
    """Return the pattern of every character of :data:`ALPHABET`."""
    rng = np.random.default_rng(_PERSON_SEED)
    n_channels = len(CHANNELS)
    per_carrier = -(-len(ALPHABET) // len(CARRIERS_HZ))
    found: dict[str, Pattern] = {}
    for number, carrier_hz in enumerate(CARRIERS_HZ):
        basis = np.linalg.qr(rng.standard_normal((n_channels, 1 + per_carrier)))[0]
        shared, own = np.sqrt(COMMON) * basis[:, :1], np.sqrt(1.0 - COMMON) * basis[:, 1:]
        for column, symbol in enumerate(ALPHABET[number :: len(CARRIERS_HZ)]):
            weights = (shared[:, 0] + own[:, column]) * np.sqrt(n_channels)
            weights.setflags(write=False)
            found[symbol] = Pattern(carrier_hz, weights)
    return found


def fold_text(text: str) -> str:
    """Return ``text`` with letters in lower case.

    Raises:
        UsageError: a character is not in :data:`ALPHABET`, or there is none; names it.
    """
    if not text:
        raise UsageError("text is empty, must have at least one character")
    for position, character in enumerate(text):
        if not (character.isascii() and character.lower() in ALPHABET):
            raise UsageError(
                f"text: character {character!r} at position {position} cannot be typed, "
                "must be one of a-z, space, apostrophe, '.', ',' or '?'"
            )
    return text.lower()
