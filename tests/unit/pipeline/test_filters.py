from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from pipeline.design_band import design, design_band, is_stable
from pipeline.filters import FilterChain
from pipeline.sections import steady_state
from pipeline.spec import Band, CtcDecoder, Normalise, PipelineSpec, Reference, SlidingWindow

CHANNELS = ("Fz", "Cz", "Pz")


def make_spec(**changes: object) -> PipelineSpec:
    spec = PipelineSpec(
        rate_hz=250.0,
        channels=CHANNELS,
        bands=(Band(notch_hz=50.0, notch_harmonics=2), Band(low_hz=8.0, high_hz=30.0, order=3)),
        window=SlidingWindow(window_samples=10, hop_samples=10),
        decoder=CtcDecoder(),
        vocabulary=("", "a"),
    )
    return design(msgspec.structs.replace(spec, **changes))


def eeg(n_samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (20_000 + 30 * rng.standard_normal((n_samples, len(CHANNELS)))).astype(np.float32)


def cut(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    chunks, start = [], 0
    for size in sizes:
        chunks.append(samples[start : start + size])
        start += size
    return [*chunks, samples[start:]]


@pytest.mark.parametrize(
    "band", [Band(), Band(low_hz=None), Band(high_hz=None), Band(notch_hz=60.0)]
)
def test_steady_state_is_scipys_to_the_bit(band: Band) -> None:
    sos = np.array(design_band(band, rate_hz=500.0).sos)
    np.testing.assert_array_equal(steady_state(sos), signal.sosfilt_zi(sos))


def test_streaming_equals_offline_sosfilt_to_the_bit() -> None:
    spec = make_spec()
    raw = eeg(400)
    chain = FilterChain(spec)
    streamed = np.concatenate([chain.push(chunk) for chunk in cut(raw, [1, 7, 0, 100, 3])])
    wide = raw.astype(np.float64)
    for k, band in enumerate(spec.bands):
        sos = np.array(band.sos)
        start = signal.sosfilt_zi(sos)[:, :, np.newaxis] * wide[0]
        offline, _ = signal.sosfilt(sos, wide, axis=0, zi=start)
        np.testing.assert_array_equal(streamed[:, 3 * k : 3 * k + 3], offline.astype(np.float32))


SPECS = [
    make_spec(),
    make_spec(reference=Reference(kind="average")),
    make_spec(reference=Reference(kind="named", channels=("Cz", "Pz"))),
    make_spec(normalise=Normalise(kind="running", clip=3.0)),
    make_spec(normalise=Normalise(kind="fixed", mean_uv=(1.0,) * 6, scale_uv=(2.0,) * 6)),
]


@settings(max_examples=60, deadline=None)
@given(
    spec=st.sampled_from(SPECS),
    sizes=st.lists(st.integers(0, 60), max_size=8),
    holes=st.lists(st.tuples(st.integers(0, 149), st.integers(0, 2)), max_size=20),
    n_dead=st.integers(0, 40),
)
def test_chunking_never_matters(
    spec: PipelineSpec, sizes: list[int], holes: list[tuple[int, int]], n_dead: int
) -> None:
    raw = eeg(150)
    raw[:n_dead, 1] = np.nan
    for sample, channel in holes:
        raw[sample, channel] = np.inf
    before = raw.copy()
    whole = FilterChain(spec).push(raw)
    chain = FilterChain(spec)
    pieces = np.concatenate([chain.push(chunk) for chunk in cut(raw, sizes)])
    np.testing.assert_array_equal(whole, pieces)
    np.testing.assert_array_equal(raw, before)
    assert np.isfinite(whole).all()


def test_a_large_offset_makes_no_transient() -> None:
    raw = np.full((500, 3), 40_000, dtype=np.float32)
    assert np.abs(FilterChain(make_spec()).push(raw)).max() < 1e-3


def test_held_values_are_marked_and_leave_no_trace_of_infinity() -> None:
    raw = eeg(100)
    raw[50, 2] = np.nan
    filtered, held = FilterChain(make_spec()).push_marking(raw)
    assert held is not None
    assert np.argwhere(held).tolist() == [[50, 2]]
    assert np.isfinite(filtered).all()


def test_running_normalisation_brings_any_amplitude_to_unit_scale() -> None:
    spec = make_spec(normalise=Normalise(kind="running", time_constant_s=1.0))
    small, large = eeg(5000), eeg(5000)
    large[:, :] = (large - 20_000) * 50
    for raw in (small, large):
        scale = FilterChain(spec).push(raw)[2500:].std(axis=0)
        assert np.all((scale > 0.8) & (scale < 1.2)), scale


def test_wrong_settings_say_what_was_wanted() -> None:
    with pytest.raises(ValueError, match=r"bands\[0\].sos: got no sections"):
        FilterChain(msgspec.structs.replace(make_spec(), bands=(Band(),)))
    with pytest.raises(ValueError, match=r"reference.channels: got \['Oz'\], wanted some of"):
        make_chain = make_spec(reference=Reference(kind="named", channels=("Oz",)))
        FilterChain(make_chain)
    with pytest.raises(ValueError, match="got 1 means and 0 scales, wanted 6"):
        FilterChain(make_spec(normalise=Normalise(kind="fixed", mean_uv=(0.0,))))
    with pytest.raises(ValueError, match="band.high_hz: 200.0 must lie between 0 and 125.0 Hz"):
        design_band(Band(high_hz=200.0), rate_hz=250.0)


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_stability_agrees_with_the_roots(values: list[float]) -> None:
    b0, b1, b2, a1, a2 = values
    radius = np.abs(np.roots([1.0, a1, a2])).max(initial=0.0)
    if abs(radius - 1.0) > 1e-6:
        assert is_stable(Band(sos=((b0, b1, b2, 1.0, a1, a2),))) == (radius < 1.0)


def test_a_band_without_edges_lets_everything_pass() -> None:
    band = design_band(Band(low_hz=None, high_hz=None), rate_hz=50.0)
    assert is_stable(band)
    given = PipelineSpec(
        rate_hz=50.0,
        channels=("a", "b"),
        bands=(band,),
        window=SlidingWindow(window_samples=4, hop_samples=4),
        decoder=CtcDecoder(),
        vocabulary=("", "a"),
    )
    samples = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
    assert np.array_equal(FilterChain(given).push(samples), samples)
