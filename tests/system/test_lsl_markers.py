"""Markers over real LSL, in this process: each on its sample, in order."""

from __future__ import annotations

import time

import pylsl
import pytest

from pipeline.values import Marker
from runtime.lsl.source import LslSource
from tests.system.daemons import unique
from tests.system.lsl_outlets import RATE_HZ, Headset, Stimuli, hear, pull

pytestmark = pytest.mark.live


def test_a_marker_waits_for_its_samples_and_is_placed_behind_a_gap() -> None:
    name = unique("wait")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    headset, stimuli = Headset(name), Stimuli(f"{name}-m")
    source.open(20)
    stimuli.wait()
    headset.push(500)
    heard = hear(source, lambda h: h.n_samples == 500)
    stimuli.push("stim:x", headset.began_s + 620 / RATE_HZ)
    for _ in range(10):
        pull(source, heard, lambda _: True)
        time.sleep(0.02)
        batch = source.pull(0.01)
        if batch is not None:
            heard.add(batch)
    assert heard.markers == []  # its samples have not come, and may never
    headset.push(300, skip=100)
    pull(source, heard, lambda h: len(h.markers) == 1)
    assert heard.markers == [Marker("stim:x", 520, heard.markers[0].known_at)]
    assert heard.markers[0].known_at >= 520
    source.close()


@pytest.mark.parametrize("channel_format", [pylsl.cf_int32, pylsl.cf_double64])
def test_numbers_as_markers_are_taken_as_text(channel_format: int) -> None:
    name = unique("numbers")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    headset, stimuli = Headset(name), Stimuli(f"{name}-m", channel_format)
    source.open(20)
    stimuli.wait()
    headset.push(100)
    stimuli.push(33, headset.began_s + 40 / RATE_HZ)
    heard = hear(source, lambda h: h.n_samples == 100)
    headset.push(50)
    pull(source, heard, lambda h: len(h.markers) == 1)
    assert (heard.markers[0].text, heard.markers[0].index) == ("33", 40)
    source.close()


def test_markers_keep_the_order_they_came_in_at_one_time() -> None:
    name = unique("ties")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    headset, stimuli = Headset(name), Stimuli(f"{name}-m")
    source.open(20)
    stimuli.wait()
    texts = ["trial:start", "label:b", "label:a", "stim:on"]
    for text in texts:
        stimuli.push(text, headset.began_s + 10 / RATE_HZ)
    headset.push(300)
    heard = hear(source, lambda h: h.n_samples == 300)
    headset.push(10)
    pull(source, heard, lambda h: len(h.markers) == 4)
    assert [marker.text for marker in heard.markers] == texts
    assert {marker.index for marker in heard.markers} == {10}
    source.close()
