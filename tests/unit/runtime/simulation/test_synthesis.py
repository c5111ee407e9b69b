from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import UsageError
from runtime.paradigm import ALPHABET, CARRIERS_HZ, CHANNELS, COMMON, fold_text, patterns
from runtime.simulation.synthesis import Session, SynthesisSettings, synthesise

SILENT = SynthesisSettings(snr_db=-np.inf)
BACKGROUND = SynthesisSettings(snr_db=-np.inf, line_uv=0.0, blink_uv=0.0, drift_uv=0.0)
LONG = ALPHABET * 8


@cache
def long_session(seed: int, settings: SynthesisSettings) -> Session:
    return synthesise(LONG, seed=seed, settings=settings)


@cache
def background_spectrum(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz, and the power at each of them by channel."""
    background = long_session(seed, BACKGROUND).samples.astype(float)
    spectrum = np.abs(np.fft.rfft(background - background.mean(axis=0), axis=0)) ** 2
    return np.fft.rfftfreq(len(background), 1 / 250.0), 2.0 * spectrum / len(background) ** 2


@cache
def added_signal(seed: int, snr_db: float) -> NDArray[np.float64]:
    typed = long_session(seed, SynthesisSettings(snr_db=snr_db))
    return typed.samples.astype(float) - long_session(seed, SILENT).samples


def measured_snr_db(carrier_hz: float, *, snr_db: float, seed: int) -> float:
    """Power of what the patterns added, over the background's in their band, from samples alone."""
    typed = long_session(seed, SynthesisSettings(snr_db=snr_db))
    added = added_signal(seed, snr_db)
    frequencies_hz, spectrum = background_spectrum(seed)
    in_band = spectrum[np.abs(frequencies_hz - carrier_hz) < 2.5].sum(axis=0)
    background_power = in_band.mean()
    own = [c for c in typed.characters if patterns()[c.symbol].carrier_hz == carrier_hz]
    power = np.mean([(added[c.start : c.stop] ** 2).mean() for c in own])
    return float(10.0 * np.log10(power / background_power))


@pytest.mark.parametrize("carrier_hz", CARRIERS_HZ)
@pytest.mark.parametrize("snr_db", [-6.0, 0.0])
def test_snr_measured_equals_snr_asked(carrier_hz: float, snr_db: float) -> None:
    measured = np.mean([measured_snr_db(carrier_hz, snr_db=snr_db, seed=s) for s in range(4)])
    assert measured == pytest.approx(snr_db, abs=0.5)


def test_without_patterns_the_text_leaves_no_trace() -> None:
    one = synthesise("abc", seed=4, settings=SILENT)
    other = synthesise("xyz", seed=4, settings=SILENT)
    np.testing.assert_array_equal(one.samples, other.samples)


def test_same_seed_gives_the_same_bits() -> None:
    np.testing.assert_array_equal(
        synthesise("again", seed=7).samples, synthesise("again", seed=7).samples
    )


def test_sessions_differ_in_timing_phase_amplitude_and_mixing() -> None:
    one, other = synthesise("hello there", seed=1), synthesise("hello there", seed=2)
    assert [c.start for c in one.characters] != [c.start for c in other.characters]
    quiet = [synthesise("hello there", seed=s, settings=BACKGROUND).samples for s in (1, 2)]
    first, second = (np.cov(x.T.astype(float)) for x in quiet)
    scale = np.sqrt(np.outer(np.diag(first), np.diag(first)))
    assert np.abs((first - second) / scale).max() > 0.1


def test_patterns_do_not_depend_on_the_session() -> None:
    """The same character, averaged over power, points the same way in any session."""
    directions = []
    for seed in (11, 12):
        typed = synthesise("e" * 40, seed=seed, settings=SynthesisSettings(snr_db=20.0))
        rest = synthesise("e" * 40, seed=seed, settings=SILENT)
        added = typed.samples.astype(float) - rest.samples
        directions.append(np.linalg.svd(added, full_matrices=False)[2][0])
    assert abs(directions[0] @ directions[1]) > 0.999


def test_character_lengths_stay_within_the_jitter() -> None:
    wanted = SynthesisSettings()
    starts = np.array([c.start for c in synthesise(LONG, seed=3).characters])
    lengths_s = np.diff(starts) / wanted.rate_hz
    assert lengths_s.min() >= wanted.character_s * 0.75 - 1.5 / wanted.rate_hz
    assert lengths_s.max() <= wanted.character_s * 1.25 + 1.5 / wanted.rate_hz
    assert lengths_s.std() > 0.1 * wanted.character_s


def test_there_is_rest_around_every_text() -> None:
    session = synthesise(["one", "two"], seed=5)
    rate_hz = SynthesisSettings().rate_hz
    first, second = session.spans
    assert (first.text, second.text) == ("one", "two")
    assert first.start >= 1.9 * rate_hz
    assert second.start - first.stop >= 1.9 * rate_hz
    assert len(session.samples) - second.stop >= 1.9 * rate_hz
    assert session.truth() == [
        (first.start, "text:one"),
        (first.stop, "text:end"),
        (second.start, "text:two"),
        (second.stop, "text:end"),
    ]


def test_samples_are_float32_microvolts_of_plausible_size() -> None:
    session = synthesise("plausible", seed=6)
    assert session.samples.dtype == np.float32
    assert session.samples.flags.c_contiguous
    assert session.samples.shape[1] == len(CHANNELS)
    assert 5.0 < np.median((session.samples - np.median(session.samples, axis=0)).std(axis=0)) < 60


def test_the_mains_hum_at_line_hz() -> None:
    samples = synthesise("hum", seed=8).samples[:, 5].astype(float)
    power = np.abs(np.fft.rfft((samples - samples.mean()) * np.hanning(len(samples)))) ** 2
    frequencies_hz = np.fft.rfftfreq(len(samples), 1 / 250.0)
    assert frequencies_hz[40:][power[40:].argmax()] > 10
    high = frequencies_hz > 40
    assert frequencies_hz[high][power[high].argmax()] == pytest.approx(50.0, abs=0.5)


@pytest.mark.parametrize("bad", ["ü", "8", "\n", "İ", "\u212a", "-"])
def test_refuses_and_names_what_cannot_be_typed(bad: str) -> None:
    with pytest.raises(UsageError, match="cannot be typed") as caught:
        synthesise(f"ab{bad}", seed=0)
    assert repr(bad) in str(caught.value)
    assert "position 2" in str(caught.value)


def test_refuses_no_text() -> None:
    with pytest.raises(UsageError, match="empty"):
        fold_text("")


@given(st.text(alphabet=ALPHABET + "ABCXYZ", min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_every_character_has_its_samples(text: str) -> None:
    session: Session = synthesise(text, seed=9)
    assert "".join(c.symbol for c in session.characters) == text.lower()
    edges = [edge for c in session.characters for edge in (c.start, c.stop)]
    assert edges == sorted(edges)
    assert edges[-1] <= session.spans[0].stop <= len(session.samples)


def test_patterns_are_of_equal_power_and_equally_alike_on_one_carrier() -> None:
    for carrier_hz in CARRIERS_HZ:
        weights = np.array([p.weights for p in patterns().values() if p.carrier_hz == carrier_hz])
        alike = COMMON + (1.0 - COMMON) * np.eye(len(weights))
        np.testing.assert_allclose(weights @ weights.T / len(CHANNELS), alike, atol=1e-9)
