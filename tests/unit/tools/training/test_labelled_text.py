from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import RecordingError
from pipeline.spec import CtcDecoder
from pipeline.values import Marker
from runtime.paradigm import ALPHABET, CHANNELS
from runtime.recording import RecordingSource
from runtime.simulated import SimulatedSource
from runtime.synthesis import SynthesisSettings, synthesise
from tools.training.bundle import ctc_spec
from tools.training.examples import cut_examples
from tools.training.labelled_text import TextSpan, read_text_recording, text_spans
from tools.verb_simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path


def marks(*texts: str) -> list[Marker]:
    return [Marker(text, 10 * k, 10 * k) for k, text in enumerate(texts)]


def test_spans_lie_between_their_markers_and_other_markers_are_none_of_them() -> None:
    found = text_spans(marks("text:a:b ", "stim:on", "text:end", "text:c", "text:end"), name="r")
    assert found == (TextSpan("a:b ", 0, 20), TextSpan("c", 30, 40))


def test_end_may_be_what_was_typed() -> None:
    assert text_spans(marks("text:end", "text:end"), name="r") == (TextSpan("end", 0, 10),)


@pytest.mark.parametrize(
    ("texts", "said"),
    [(("text:a", "text:b", "text:end"), "text:b"), (("text:a",), "without a text:end")],
)
def test_markers_that_do_not_pair_are_refused(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(RecordingError, match=said) as caught:
        text_spans(marks(*texts), name="monday.xdf")
    assert str(caught.value).startswith("monday.xdf: ")


def test_a_written_simulation_reads_as_the_same_recording(tmp_path: Path) -> None:
    session = synthesise(["hello there", "end"], seed=3)
    write_xdf(tmp_path / "s.xdf", session, name="s", rate_hz=250.0)
    read = read_text_recording(RecordingSource(tmp_path / "s.xdf"), name="s.xdf")
    direct = read_text_recording(SimulatedSource(["hello there", "end"], seed=3), name="s.xdf")
    assert read.spans == direct.spans
    assert [span.text for span in read.spans] == ["hello there", "end"]
    assert read.channels == direct.channels
    np.testing.assert_array_equal(read.samples, direct.samples)


def test_examples_hold_each_span_once_and_the_long_rests() -> None:
    settings = SynthesisSettings(between_s=8.0, tail_s=9.0)
    spec = ctc_spec(
        rate_hz=250.0, channels=CHANNELS, vocabulary=("", *ALPHABET), hop_samples=20,
        notch_hz=50.0, decoder=CtcDecoder(),
    )  # fmt: skip
    source = SimulatedSource(["ab", "c"], seed=1, settings=settings)
    recording = read_text_recording(source, name="r")
    examples = cut_examples(recording, spec)
    assert [e.labels for e in examples] == [(1, 2), (), (3,), ()]
    assert all(e.samples.shape[1] == len(CHANNELS) for e in examples)
    assert sum(len(e.samples) for e in examples) <= len(recording.samples)
    few = ctc_spec(
        rate_hz=250.0, channels=CHANNELS, vocabulary=("", "a", "b"), hop_samples=20,
        notch_hz=50.0, decoder=CtcDecoder(),
    )  # fmt: skip
    with pytest.raises(RecordingError, match="'c'"):
        cut_examples(recording, few)
