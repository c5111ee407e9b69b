from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.values import Marker
from runtime.recordings.source import RecordingSource
from runtime.simulation.source import SimulatedSource
from runtime.simulation.synthesis import synthesise
from tools.recordings.signal import read_signal
from tools.training.data.labelled_text import (
    FOREVER,
    FoundSpans,
    TextSpan,
    find_spans,
)
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path


def marks(*texts: str) -> list[Marker]:
    return [Marker(text, 10 * k, 10 * k) for k, text in enumerate(texts)]


def test_spans_lie_between_their_markers_and_other_markers_are_none_of_them() -> None:
    found = find_spans(marks("text:a:b ", "stim:on", "text:end", "text:c", "text:end"))
    assert found == FoundSpans((TextSpan("a:b ", 0, 20), TextSpan("c", 30, 40)))


def test_end_may_be_what_was_typed() -> None:
    found = find_spans(marks("text:end", "text:end"))
    assert found == FoundSpans((TextSpan("end", 0, 10),))


@pytest.mark.parametrize(
    ("texts", "said"),
    [(("text:a", "text:b", "text:end"), "text:b"), (("text:a",), "without a text:end")],
)
def test_markers_that_do_not_pair_are_faults(texts: tuple[str, ...], said: str) -> None:
    found = find_spans(marks(*texts))
    assert found.spans == ()
    (fault,) = found.faults
    assert said in fault


def test_a_written_simulation_reads_as_the_same_recording(tmp_path: Path) -> None:
    session = synthesise(["hello there", "end"], seed=3)
    write_xdf(tmp_path / "s.xdf", session, name="s", rate_hz=250.0)
    read = read_signal(RecordingSource(tmp_path / "s.xdf"))
    direct = read_signal(SimulatedSource(["hello there", "end"], seed=3))
    found = find_spans(read.markers)
    assert found == find_spans(direct.markers)
    assert [span.text for span in found.spans] == ["hello there", "end"]
    assert read.info.channels == direct.info.channels
    np.testing.assert_array_equal(read.samples, direct.samples)


def test_what_does_not_pair_is_lost_and_the_others_are_found() -> None:
    found = find_spans(
        marks("text:a", "text:end", "text:b", "text:c", "text:d", "text:end", "text:end", "text:e",
              "text:end", "text:f")
    )  # fmt: skip
    assert found.spans == (TextSpan("a", 0, 10), TextSpan("e", 70, 80))
    assert found.lost == ((20, 50), (50, 60), (90, FOREVER))
    assert [fault.split(",")[0] for fault in found.faults] == [
        "marker 'text:c' at sample 30",
        "marker 'text:d' at sample 40",
        "marker 'text:end' at sample 60",
        "marker 'text:f' without a text:end",
    ]
