"""The LSL source on real LSL, in this process: what is pushed arrives, counted."""

from __future__ import annotations

import threading
import time

import numpy as np
import pylsl
import pytest

from pipeline.errors import BundleError, StreamLost
from runtime.lsl import inlet
from runtime.lsl.source import LslSource
from tests.system.daemons import unique
from tests.system.lsl_outlets import RATE_HZ, Headset, Stimuli, hear, lost, pull

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    "channel_format", [pylsl.cf_float32, pylsl.cf_double64, pylsl.cf_int16, pylsl.cf_int32]
)
def test_channels_are_picked_by_label_and_scaled_in_any_format(channel_format: int) -> None:
    name = unique("pick")
    headset = Headset(name, channel_format=channel_format, unit="mV")
    source = LslSource({"name": name}, channels=("Pz", "Fz"))
    info = source.open(20)
    assert (info.channels, info.unit, info.rate_hz) == (("Pz", "Fz"), "mV", RATE_HZ)
    assert info.uid
    headset.push(300)
    heard = hear(source, lambda h: h.n_samples == 300)
    whole = channel_format in (pylsl.cf_int16, pylsl.cf_int32)
    wanted = np.arange(300)[:, None] + np.array([0.0 if whole else 0.5, 0.0])
    np.testing.assert_allclose(heard.values(), 1e3 * wanted, rtol=1e-6)
    source.close()
    source.close()


def test_a_missing_unit_is_taken_as_microvolts_and_told() -> None:
    name = unique("unit")
    headset = Headset(name, unit="")
    source = LslSource({"name": name})
    source.open(20)
    headset.push(10)
    heard = hear(source, lambda h: h.n_samples == 10)
    assert heard.kinds() == ["stream_found", "unit_assumed"]
    source.close()


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    name = unique("fit")
    headset = Headset(name)
    with pytest.raises(BundleError, match=rf"{name}: lacks Oz; it has Fz, Cz, Pz"):
        LslSource({"name": name}, channels=("Oz",)).open(20)
    headset.close()
    name = unique("irregular")
    headset = Headset(name, rate_hz=pylsl.IRREGULAR_RATE)
    with pytest.raises(BundleError, match="no regular rate"):
        LslSource({"name": name}).open(20)
    headset.close()
    name = unique("text")
    headset = Headset(name, channel_format=pylsl.cf_string)
    with pytest.raises(BundleError, match="not numbers"):
        LslSource({"name": name}).open(20)


def test_a_stream_that_is_not_there_is_lost_within_the_time_given() -> None:
    source = LslSource({"name": 'it\'s "" not'[:5] + unique("none"), "type": "EEG"})
    began_s = time.monotonic()
    with pytest.raises(StreamLost, match=r"no LSL stream with .* within 0\.6 s"):
        source.open(0.6)
    assert 0.5 < time.monotonic() - began_s < 3
    source.close()


def test_only_the_stream_that_all_fields_name_is_taken() -> None:
    name = unique("same")
    others = [Headset(name, source_id=f"{name}-{k}") for k in range(3)]
    source = LslSource({"name": name, "source_id": f"{name}-1"})
    info = source.open(20)
    assert info.source_id == f"{name}-1"
    source.close()
    del others


def test_of_several_streams_that_match_one_is_heard_and_told() -> None:
    name = unique("twins")
    twins = [Headset(name, source_id=f"{name}-{k}") for k in range(2)]
    stimuli = [Stimuli(f"{name}-m"), Stimuli(f"{name}-m")]
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    info = source.open(20)
    heard = hear(source, lambda h: h.kinds().count("several_streams") == 2)
    told = {e.figures["of"]: e.figures for e in heard.events if e.kind == "several_streams"}
    assert (told["eeg"]["n_streams"], told["markers"]["n_streams"]) == (2, 2)
    assert told["eeg"]["source_id"] == info.source_id
    assert told["markers"]["taken"] == f"{name}-m"
    source.close()
    del twins, stimuli


def test_an_outlet_that_restarts_is_found_again_and_counting_goes_on() -> None:
    name = unique("again")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    stimuli = Stimuli(f"{name}-m")
    headset = Headset(name)
    first_uid = source.open(20).uid
    stimuli.wait()
    headset.began_s = pylsl.local_clock() - 500 / RATE_HZ
    headset.push(500)
    heard = hear(source, lambda h: h.n_samples == 500)
    headset.close()
    pull(source, heard, lost, within_s=20)
    stimuli.push("stim:between", pylsl.local_clock())
    pull(source, heard, lambda _: True)
    headset = Headset(name)
    pull(source, heard, lambda h: h.kinds().count("stream_found") == 2, within_s=20)
    headset.began_s = pylsl.local_clock()
    headset.push(500)
    stimuli.push("stim:after", headset.began_s + 250 / RATE_HZ)
    pull(source, heard, lambda h: h.n_samples == 1000)
    headset.push(10)
    pull(source, heard, lambda h: len(h.markers) == 2)
    assert heard.kinds() == ["stream_found", "stream_lost", "stream_found"]
    assert [event.sample for event in heard.events] == [0, 500, 500]
    np.testing.assert_array_equal(heard.values()[:1000, 0], np.tile(np.arange(500.0), 2))
    assert heard.markers[0].index in (499, 500)
    assert heard.markers[1].index == 750
    assert first_uid
    assert source.lsl_time(750) == pytest.approx(headset.began_s + 1.0, abs=0.01)
    assert source.lsl_time(250) < headset.began_s
    source.close()


def test_a_silent_stream_stays_and_a_silent_one_that_left_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inlet, "SILENT_S", 0.4)
    name = unique("silent")
    headset = Headset(name)
    source = LslSource({"name": name})
    source.open(20)
    headset.push(50)
    heard = hear(source, lambda h: h.n_samples == 50)
    end_s = time.monotonic() + 3.0
    pull(source, heard, lambda _: time.monotonic() > end_s)
    assert heard.kinds() == ["stream_found"]
    headset.push(50)
    pull(source, heard, lambda h: h.n_samples == 100)
    # Unplugged: no connection is closed, and nobody answers for it any more.
    monkeypatch.setattr(inlet, "resolve", lambda *_: None)
    pull(source, heard, lost, within_s=20)
    source.close()


def test_a_consumer_that_was_away_for_a_while_misses_nothing() -> None:
    name = unique("backlog")
    headset = Headset(name)
    source = LslSource({"name": name})
    source.open(20)
    headset.wait()
    for _ in range(40):
        headset.push(250)
    time.sleep(0.5)
    heard = hear(source, lambda h: h.n_samples == 10_000)
    np.testing.assert_array_equal(heard.values()[:, 0], np.arange(10_000.0))
    assert heard.kinds() == ["stream_found"]
    source.close()


def test_closing_ends_every_thread_it_began() -> None:
    name = unique("threads")
    before = set(threading.enumerate())  # of other tests some may end meanwhile
    headset = Headset(name)
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    source.open(20)
    headset.push(10)
    hear(source, lambda h: h.n_samples == 10)
    source.close()
    end_s = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not set(threading.enumerate()) - before
