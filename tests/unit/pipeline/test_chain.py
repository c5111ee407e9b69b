from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.chain import Chain
from pipeline.values import Event, Marker, Output, Text, Times
from runtime.engine import Engine, open_engine
from tests.bundles import CHANNELS, RATE_HZ, make_bundle, pulses

N_SAMPLES = 1500
HEADS = ("ctc", "selection", "seq2seq")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Engine]:
    folder = tmp_path_factory.mktemp("bundles")
    opened = {}
    for head in HEADS:
        make_bundle(folder / head, head=head)
        opened[head] = open_engine(folder / head)
    return opened


def eeg(seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (500 + 20 * rng.standard_normal((N_SAMPLES, len(CHANNELS)))).astype(np.float32)


def trials(late: int = 0) -> list[Marker]:
    markers = []
    for start in range(0, N_SAMPLES - 200, 200):
        for text, index in (
            ("trial:start", start),
            ("label:A", start),
            ("stim:on", start + 10),
            ("trial:end", start + 190),
        ):
            markers.append(Marker(text, index, min(N_SAMPLES, index + late)))
    return markers


def run(
    chain: Chain,
    samples: np.ndarray,
    cuts: list[int],
    markers: list[Marker] = [],  # noqa: B006 - never modified
    events: list[Event] = [],  # noqa: B006
) -> list[Output]:
    """Push as a source would: all that is known by the end of a batch comes with it."""
    outputs: list[Output] = []
    done = 0
    waiting: list[tuple[int, Marker | Event]] = sorted(
        [(m.known_at, m) for m in markers] + [(e.known_at, e) for e in events],
        key=lambda pair: pair[0],
    )
    for stop in sorted({*cuts, len(samples)}):
        ready = [given for known_at, given in waiting if known_at <= stop]
        waiting = [pair for pair in waiting if pair[0] > stop]
        outputs += chain.push(
            samples[done:stop],
            [g for g in ready if isinstance(g, Marker)],
            [g for g in ready if isinstance(g, Event)],
        )
        done = stop
    return [untimed(o) for o in outputs + chain.finish()]


def untimed(output: Output) -> Output:
    return replace(output, times=Times()) if isinstance(output, Text) else output


cuts_of_the_stream = st.lists(st.integers(0, N_SAMPLES), max_size=12)


@settings(max_examples=20, deadline=None)
@given(
    cuts=cuts_of_the_stream,
    head=st.sampled_from(HEADS),
    late=st.integers(0, 120),
    hole=st.integers(0, N_SAMPLES - 30),
    gap_at=st.integers(100, N_SAMPLES - 1),
    pause=st.booleans(),
)
def test_chunking_never_matters(
    engines: dict[str, Engine],
    cuts: list[int],
    head: str,
    late: int,
    hole: int,
    gap_at: int,
    *,
    pause: bool,
) -> None:
    samples = eeg()
    samples[hole : hole + 20, 1] = np.nan
    events = [Event("gap", gap_at - 50, gap_at, {"n_samples": 12})]
    if pause:
        events += [Event("pause", 600, 600), Event("resume", 900, 900)]
    whole = run(engines[head].chain(), samples, [], trials(late), events)
    before = samples.copy()
    pieces = run(engines[head].chain(), samples, cuts, trials(late), events)
    assert pieces == whole
    np.testing.assert_array_equal(samples, before)
    assert any(isinstance(o, Text) for o in whole)


@pytest.mark.parametrize("head", HEADS)
def test_removing_every_label_changes_nothing(engines: dict[str, Engine], head: str) -> None:
    spoken = [Marker("text:hello", 100, 100), Marker("text:end", 700, 700)]
    with_truth = run(
        engines[head].chain(), eeg(), [300], sorted(trials() + spoken, key=lambda m: m.known_at)
    )
    bare = [m for m in trials() if not m.text.startswith("label:")]
    assert run(engines[head].chain(), eeg(), [300], bare) == with_truth


def test_overlapping_windows_write_what_was_said_once(engines: dict[str, Engine]) -> None:
    outputs = run(engines["seq2seq"].chain(), pulses("ab aba bb", n_samples=N_SAMPLES), [400])
    finals = [o for o in outputs if isinstance(o, Text) and o.kind == "final"]
    assert "".join(f.text for f in finals) == "ab aba bb"
    starts = [f.samples[0] for f in finals]
    assert starts == [200 + 40 * k for k in range(9)]
    assert not any(f.tainted for f in finals)


def test_each_sample_is_decoded_once_and_counted(engines: dict[str, Engine]) -> None:
    chain = engines["ctc"].chain()
    run(chain, eeg(), [7, 500])
    assert chain.counters == {
        "windows_due": N_SAMPLES // 20,
        "windows_decoded": N_SAMPLES // 20,
        "windows_skipped": 0,
        "windows_pending": 0,
    }


def test_every_decode_can_be_told(engines: dict[str, Engine]) -> None:
    outputs = run(engines["ctc"].chain(every_decode=True), eeg(), [])
    spans = [o for o in outputs if isinstance(o, Text)]
    assert len(spans) >= N_SAMPLES // 20


def test_a_pause_hears_nothing_and_counts_what_it_skips(engines: dict[str, Engine]) -> None:
    events = [Event("pause", 300, 300), Event("resume", 1300, 1300)]
    chain = engines["ctc"].chain()
    outputs = run(chain, eeg(), [], events=events)
    spans = [o.samples for o in outputs if isinstance(o, Text) and o.text]
    assert not [s for s in spans if s[0] >= 300 and s[1] <= 1300]
    assert chain.counters["windows_skipped"] == 50
    chain = engines["selection"].chain()
    outputs = run(chain, eeg(), [], trials(), events)
    finals = [o for o in outputs if isinstance(o, Text) and o.kind == "final"]
    assert {f.samples[0] // 200 for f in finals} == {0}


def test_windows_after_a_pause_hold_nothing_of_it(engines: dict[str, Engine]) -> None:
    events = [Event("pause", 350, 350), Event("resume", 470, 470)]
    chain = engines["seq2seq"].chain()
    outputs = run(chain, pulses("ababababab", n_samples=N_SAMPLES), [], events=events)
    finals = [o for o in outputs if isinstance(o, Text) and o.kind == "final"]
    assert "".join(f.text for f in finals) == "abab" + "bab"
    assert not [f for f in finals if f.samples[0] >= 350 and f.samples[1] <= 470]
    assert chain.counters["windows_skipped"] == 12
    assert chain.counters["windows_due"] == 70


def test_after_a_stream_was_lost_nothing_is_said_twice(engines: dict[str, Engine]) -> None:
    events = [Event("stream_lost", 250, 250), Event("stream_found", 250, 250)]
    outputs = run(
        engines["seq2seq"].chain(), pulses("abab", n_samples=N_SAMPLES), [], events=events
    )
    finals = [o for o in outputs if isinstance(o, Text) and o.kind == "final"]
    assert "".join(f.text for f in finals) == "abab"
    assert [f.tainted for f in finals] == [False, True, True, True]


def test_a_window_too_late_for_history_is_skipped_and_told(engines: dict[str, Engine]) -> None:
    samples = np.concatenate([eeg(1), eeg(2), eeg(3), eeg(4)])
    late = 10 + round(5 * RATE_HZ) + 2000
    markers = [Marker("trial:start", 10, 10), Marker("stim:on", 10, late)]
    chain = engines["selection"].chain()
    outputs = run(chain, samples, [], markers)
    assert [o.kind for o in outputs if isinstance(o, Event)] == ["window_skipped", "abstained"]
    assert chain.counters["windows_skipped"] == 1
    prompt = [Marker("trial:start", 10, 10), Marker("stim:on", 10, 10 + round(5 * RATE_HZ))]
    outputs = run(engines["selection"].chain(), samples, [], prompt)
    assert [o.kind for o in outputs if isinstance(o, Text)] == ["final"]


def test_text_over_a_gap_is_tainted(engines: dict[str, Engine]) -> None:
    outputs = run(
        engines["ctc"].chain(), eeg(), [], events=[Event("gap", 700, 720, {"n_samples": 5})]
    )
    texts = [o for o in outputs if isinstance(o, Text) and o.kind == "final" and o.text]
    assert any(t.tainted for t in texts)
    assert not any(t.tainted for t in texts if t.samples[1] <= 690)


def test_a_dead_headset_is_silent(engines: dict[str, Engine]) -> None:
    samples = eeg()
    samples[500:] = np.nan
    outputs = run(engines["ctc"].chain(), samples, [])
    assert not [o for o in outputs if isinstance(o, Text) and o.text and o.samples[0] >= 520]


@pytest.mark.parametrize("head", HEADS)
def test_a_lost_stream_ends_as_a_recording_does(engines: dict[str, Engine], head: str) -> None:
    lost = Event("stream_lost", N_SAMPLES, N_SAMPLES)
    ended = run(engines[head].chain(), eeg(), [], trials())
    outputs = run(engines[head].chain(), eeg(), [], trials(), [lost])
    assert outputs == [*ended, lost]


@pytest.mark.parametrize("value", [0.0, 123.0])
@pytest.mark.parametrize("head", HEADS)
def test_a_headset_that_sends_one_value_for_ever_says_nothing(
    engines: dict[str, Engine], head: str, value: float
) -> None:
    samples = np.full((N_SAMPLES, len(CHANNELS)), value, dtype=np.float32)
    samples[:, 3] += np.random.default_rng(0).standard_normal(N_SAMPLES).astype(np.float32)
    outputs = run(engines[head].chain(), samples, [], trials())
    assert not [o for o in outputs if isinstance(o, Text) and o.text]
    if head == "selection":
        reasons = {o.figures["reason"] for o in outputs if isinstance(o, Event)}
        assert reasons == {"tainted"}


def test_one_dead_channel_does_not_silence_the_others(engines: dict[str, Engine]) -> None:
    samples = eeg()
    samples[:, 1] = 7.0
    outputs = run(engines["ctc"].chain(), samples, [])
    assert [o for o in outputs if isinstance(o, Text) and o.text]


def test_the_window_says_after_how_many_samples_it_is_full(engines: dict[str, Engine]) -> None:
    window, chain = engines["ctc"].spec.window, engines["ctc"].chain()
    samples, n_due = eeg(), window.samples_until_due(0)
    while chain.n_samples + n_due <= len(samples):
        first, n_decoded = chain.n_samples, chain.counters["windows_due"]
        chain.push(samples[first : first + n_due - 1])
        assert chain.counters["windows_due"] == n_decoded
        chain.push(samples[first + n_due - 1 : first + n_due])
        assert chain.counters["windows_due"] == n_decoded + 1
        n_due = window.samples_until_due(chain.n_samples)
    assert n_decoded > 5
    assert engines["selection"].spec.window.samples_until_due(7) == 1
