"""Simulated EEG of somebody who types with the mind: every sample is made up, and says so.

    samples = background (1/f, mixed anew) + drift + blinks + line + a pattern per character

All that differs between sessions (mixing, timing, phases, amplitudes, artefacts) is drawn from the
session's seed; the patterns (:mod:`runtime.paradigm`) are the person's and stay. Background and
artefacts do not depend on the signal-to-noise ratio: two sessions that differ in it alone differ by
the patterns alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.spec import Settings
from runtime.paradigm import CHANNELS, Pattern, fold_text, patterns, positions

if TYPE_CHECKING:
    from pipeline.values import Samples

Floats = NDArray[np.float64]

DEFAULT_SNR_DB = -3.0
"""Where the oracle of ``tests/oracle.py`` names 93 to 97 % of single characters."""


class SynthesisSettings(Settings, frozen=True):
    """How the simulated sessions are made.

    ``snr_db``: power of the pattern over power of the background in the pattern's band, both
    averaged over channels, during a character; ``-inf`` leaves the patterns out. A character
    takes ``character_s`` ± ``jitter``, of which the share ``burst`` carries the pattern and the
    remainder is rest.
    ``pause_chance``: share of characters followed by a rest of ``pause_s`` (least, most).
    """

    rate_hz: float = 250.0
    snr_db: float = DEFAULT_SNR_DB
    character_s: float = 0.4
    jitter: float = 0.25
    burst: float = 0.85
    lead_s: float = 2.0
    between_s: float = 2.0
    tail_s: float = 2.0
    pause_chance: float = 0.0
    pause_s: tuple[float, float] = (0.3, 1.5)
    background_uv: float = 12.0
    line_hz: float = 50.0
    line_uv: float = 4.0
    blinks_per_min: float = 12.0
    blink_uv: float = 90.0
    drift_uv: float = 30.0


@dataclass(frozen=True, slots=True)
class Character:
    """A typed ``symbol`` and the samples ``[start, stop)`` that carry its pattern."""

    symbol: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Span:
    """The truth of a stretch of text: its characters lie within samples ``[start, stop)``."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Session:
    """What one sitting gave: ``samples`` (n_samples, n_channels) and the truth about them."""

    samples: Samples
    characters: tuple[Character, ...]
    spans: tuple[Span, ...]

    def truth(self) -> list[tuple[int, str]]:
        """Return ``text:`` markers, each with its sample index, in order."""
        found: list[tuple[int, str]] = []
        for span in self.spans:
            found += [(span.start, f"text:{span.text}"), (span.stop, "text:end")]
        return found


def synthesise(
    texts: str | Sequence[str], *, seed: int, settings: SynthesisSettings | None = None
) -> Session:
    """Return the session in which the simulated person types ``texts``, with rest around each.

    Raises:
        UsageError: a character the person cannot type; names it.
    """
    settings = settings or SynthesisSettings()
    folded = [fold_text(text) for text in ([texts] if isinstance(texts, str) else texts)]
    timing, phases, background, artefacts = (
        np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(4)
    )
    characters, spans, n_samples = _schedule(folded, timing, settings)
    samples = _background(n_samples, background, settings)
    samples += _drift(n_samples, artefacts, settings)
    samples += _blinks(n_samples, artefacts, settings)
    samples += _line(n_samples, artefacts, settings)
    _add_patterns(samples, characters, phases, settings)
    received = samples.astype(np.float32)
    received.setflags(write=False)
    return Session(received, tuple(characters), tuple(spans))


def _schedule(
    texts: list[str], rng: np.random.Generator, settings: SynthesisSettings
) -> tuple[list[Character], list[Span], int]:
    """Place every character; return them, their texts' spans and the number of samples."""
    rate_hz = settings.rate_hz
    characters: list[Character] = []
    spans: list[Span] = []
    now_s = settings.lead_s
    for number, text in enumerate(texts):
        now_s += settings.between_s if number else 0.0
        first = round(now_s * rate_hz)
        for symbol in text:
            length_s = settings.character_s * (1.0 + rng.uniform(-settings.jitter, settings.jitter))
            stop_s = now_s + settings.burst * length_s
            characters.append(Character(symbol, round(now_s * rate_hz), round(stop_s * rate_hz)))
            now_s += length_s
            if rng.random() < settings.pause_chance:
                now_s += rng.uniform(*settings.pause_s)
        spans.append(Span(text, first, round(now_s * rate_hz)))
    return characters, spans, round((now_s + settings.tail_s) * rate_hz)


def _shape(n_samples: int, rate_hz: float) -> Floats:
    """Return the background's amplitudes: 1/f in power, flat below 0.5 Hz, of unit variance."""
    frequencies_hz = np.fft.rfftfreq(n_samples, 1.0 / rate_hz)
    power = 1.0 / np.maximum(frequencies_hz, 0.5)
    power[0] = 0.0
    amplitudes: Floats = np.sqrt(power / power.sum())
    return amplitudes


@cache
def background_share(band_hz: tuple[float, float], rate_hz: float) -> float:
    """Return the share of the background's power that lies in ``band_hz``."""
    n_samples = round(100 * rate_hz)
    frequencies_hz = np.fft.rfftfreq(n_samples, 1.0 / rate_hz)
    inside = (frequencies_hz >= band_hz[0]) & (frequencies_hz < band_hz[1])
    return float((_shape(n_samples, rate_hz)[inside] ** 2).sum())


def mixing(rng: np.random.Generator) -> Floats:
    """Return a session's mixing of background sources into channels, mean variance one.

    Thirty-two sources lie anywhere under the scalp and reach the electrodes near them; every
    electrode adds a little noise of its own.
    """
    electrodes = positions()
    n_channels, n_sources = len(electrodes), 32
    angle, radius = rng.uniform(0, 2 * np.pi, n_sources), np.sqrt(rng.random(n_sources))
    sources = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    distance = np.linalg.norm(electrodes[:, None] - sources[None], axis=2)
    spread = rng.uniform(0.25, 0.6, n_sources)
    gains = np.exp(-0.5 * (distance / spread) ** 2) * rng.standard_normal(n_sources)
    gains /= np.sqrt((gains**2).sum(axis=1).mean())
    own = 0.7 * np.eye(n_channels)
    covariance = gains @ gains.T + own @ own
    return np.asarray(np.linalg.cholesky(covariance / covariance.trace() * n_channels))


def _background(n_samples: int, rng: np.random.Generator, settings: SynthesisSettings) -> Floats:
    """Return 1/f noise of ``background_uv``, root mean square over channels."""
    mix = mixing(rng)
    n_drawn = -(-n_samples // 1000) * 1000  # a length that the transform likes
    shape = _shape(n_drawn, settings.rate_hz) * n_drawn / 2.0
    real, imaginary = rng.standard_normal((2, len(mix), len(shape)))
    sources = np.fft.irfft((real + 1j * imaginary) * shape, n=n_drawn)[:, :n_samples]
    return np.ascontiguousarray((settings.background_uv * mix @ sources).T)


def _drift(n_samples: int, rng: np.random.Generator, settings: SynthesisSettings) -> Floats:
    """Return a constant offset and a slow wander for each channel."""
    n_channels = len(CHANNELS)
    n_knots = 2 + int(n_samples / settings.rate_hz / 5.0)
    knots = np.cumsum(rng.standard_normal((n_knots, n_channels)), axis=0) * settings.drift_uv / 2.0
    offsets_uv = rng.uniform(-1000.0, 1000.0, n_channels)
    where = np.linspace(0.0, n_knots - 1.0, n_samples)
    left = np.minimum(where.astype(int), n_knots - 2)
    weight = (0.5 - 0.5 * np.cos(np.pi * (where - left)))[:, None]
    drift_uv: Floats = knots[left] * (1.0 - weight) + knots[left + 1] * weight + offsets_uv
    return drift_uv


def _blinks(n_samples: int, rng: np.random.Generator, settings: SynthesisSettings) -> Floats:
    """Return eye blinks: 0.3 s bumps, strongest over the forehead."""
    trace = np.zeros(n_samples)
    minutes = n_samples / settings.rate_hz / 60.0
    bump = np.hanning(round(0.3 * settings.rate_hz))
    for _ in range(rng.poisson(settings.blinks_per_min * minutes)):
        start = int(rng.integers(0, n_samples))
        stop = min(start + len(bump), n_samples)
        trace[start:stop] += rng.uniform(0.7, 1.3) * bump[: stop - start]
    weights = np.exp(2.5 * (positions()[:, 1] - 0.9))
    return settings.blink_uv * trace[:, None] * weights


def _line(n_samples: int, rng: np.random.Generator, settings: SynthesisSettings) -> Floats:
    """Return the hum of the mains and its second harmonic."""
    n_channels = len(CHANNELS)
    time_s = np.arange(n_samples) / settings.rate_hz
    hum = np.zeros((n_samples, n_channels))
    for harmonic, level in ((1, 1.0), (2, 0.3)):
        gains = settings.line_uv * level * rng.uniform(0.5, 1.5, n_channels)
        phase = rng.uniform(0.0, 2.0 * np.pi)
        hum += np.sin(2 * np.pi * harmonic * settings.line_hz * time_s + phase)[:, None] * gains
    return hum


def envelope(n_samples: int) -> Floats:
    """Return a burst's envelope: a quarter up, half level, a quarter down; mean square one."""
    where = (np.arange(n_samples) + 0.5) / n_samples
    edge = np.clip(4.0 * np.minimum(where, 1.0 - where), 0.0, 1.0)
    rise = 0.5 - 0.5 * np.cos(np.pi * edge)
    return np.asarray(rise / np.sqrt((rise**2).mean()))


def _add_patterns(
    samples: Floats,
    characters: list[Character],
    rng: np.random.Generator,
    settings: SynthesisSettings,
) -> None:
    """Add each character's burst to ``samples``, with its own phase and amplitude."""
    level_uv = {symbol: _level_uv(pattern, settings) for symbol, pattern in patterns().items()}
    for character in characters:
        pattern = patterns()[character.symbol]
        phase = rng.uniform(0.0, 2.0 * np.pi)
        amplitude = rng.uniform(0.75, 1.25) / np.sqrt(1.0 + 0.5**2 / 12.0)
        n_samples = character.stop - character.start
        time_s = np.arange(n_samples) / settings.rate_hz
        carrier = np.sqrt(2.0) * np.cos(2.0 * np.pi * pattern.carrier_hz * time_s + phase)
        burst = amplitude * level_uv[character.symbol] * envelope(n_samples) * carrier
        samples[character.start : character.stop] += burst[:, None] * pattern.weights


def _level_uv(pattern: Pattern, settings: SynthesisSettings) -> float:
    """Return the root mean square over channels of a pattern at the asked signal-to-noise ratio."""
    share = background_share(pattern.band_hz, settings.rate_hz)
    return float(settings.background_uv * np.sqrt(share * 10.0 ** (settings.snr_db / 10.0)))
