"""A detector that is told where each character is: the yardstick of the simulator's difficulty.

It knows the patterns (carrier, weights over the scalp, envelope), the true boundaries of every
character, and what the background is like on average over sessions: its spectrum and the mean of
its covariance. It does not know the carrier's phase, the amplitude, this session's mixing of the
background, or any language. It takes each character by itself and names the likeliest one: a bank
of whitened matched filters, phase integrated out. The default signal-to-noise ratio of the
simulator is one at which it names 93 to 97 % of single characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from runtime.paradigm import ALPHABET, CARRIERS_HZ, CHANNELS, patterns
from runtime.simulation.synthesis import (
    SynthesisSettings,
    background_share,
    envelope,
    mixing,
    synthesise,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.values import Samples
    from runtime.simulation.synthesis import Session

N_SESSIONS = 500
"""Over how many sessions' mixing the mean covariance is taken."""

Background = Literal["average", "white"]


@dataclass(frozen=True, slots=True)
class Bank:
    """One carrier's matched filters: ``weights`` (n_symbols, n_channels) of unit noise power."""

    carrier_hz: float
    symbols: str
    weights: NDArray[np.float64]


class Oracle:
    """Names single characters from their samples.

    Args:
        rate_hz: of the sessions.
        background: ``average`` whitens with the mean covariance over sessions, ``white`` takes all
            channels for equally and independently noisy.
    """

    def __init__(self, *, rate_hz: float, background: Background = "average") -> None:
        self._rate_hz = rate_hz
        precision = np.linalg.inv(_covariance(background))
        self._banks = []
        for carrier_hz in CARRIERS_HZ:
            symbols = "".join(s for s in ALPHABET if patterns()[s].carrier_hz == carrier_hz)
            filters = np.array([precision @ patterns()[s].weights for s in symbols])
            gain = np.array(
                [f @ patterns()[s].weights for f, s in zip(filters, symbols, strict=True)]
            )
            share = background_share(patterns()[symbols[0]].band_hz, rate_hz)
            self._banks.append(Bank(carrier_hz, symbols, filters / np.sqrt(gain * share)[:, None]))

    def name(self, samples: Samples) -> str:
        """Return the character whose burst ``samples`` (n_samples, n_channels) exactly holds."""
        segment = samples - samples.mean(axis=0, dtype=np.float64)
        shape, time_s = envelope(len(segment)), np.arange(len(segment)) / self._rate_hz
        best, symbol = -1.0, ""
        for bank in self._banks:
            wave = shape * np.exp(-2j * np.pi * bank.carrier_hz * time_s)
            powers = np.abs(bank.weights @ (wave @ segment)) ** 2
            if powers.max() > best:
                best, symbol = float(powers.max()), bank.symbols[int(powers.argmax())]
        return symbol

    def accuracy(self, session: Session) -> float:
        """Return the share of a session's characters that are named rightly."""
        named = [self.name(session.samples[c.start : c.stop]) for c in session.characters]
        right = [n == c.symbol for n, c in zip(named, session.characters, strict=True)]
        return float(np.mean(right))


def _covariance(background: Background) -> NDArray[np.float64]:
    """Return the background's covariance (n_channels, n_channels) as the detector believes it."""
    if background == "white":
        return np.eye(len(CHANNELS))
    total = np.zeros((len(CHANNELS), len(CHANNELS)))
    for seed in range(N_SESSIONS):
        mix = mixing(np.random.default_rng([seed, 1]))
        total += mix @ mix.T
    return total / N_SESSIONS


def mean_accuracy(
    text: str, *, snr_db: float, seeds: range, background: Background = "average"
) -> float:
    """Return the share of characters named rightly over sessions of ``text``, one a seed."""
    settings = SynthesisSettings(snr_db=snr_db)
    oracle = Oracle(rate_hz=settings.rate_hz, background=background)
    sessions = (synthesise(text, seed=seed, settings=settings) for seed in seeds)
    return float(np.mean([oracle.accuracy(session) for session in sessions]))
