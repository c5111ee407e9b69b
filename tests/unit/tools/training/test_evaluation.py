from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.values import Event, Text
from tools.training.evaluation import HeldOut, read
from tools.training.listening import Listening, listen

if TYPE_CHECKING:
    from pipeline.values import Output

HOP = 10
NOTHING = np.zeros((50, 1), np.float32)


def final(text: str, delete: int = 0) -> Text:
    return Text("final", text, tuple(text), (0, 1), delete=delete)


def partial(text: str) -> Text:
    return Text("partial", text, tuple(text), (0, 1))


class Scripted:
    """An engine whose chain gives at each hop what it was told to."""

    def __init__(self, *script: list[Output]) -> None:
        from pipeline.spec import CtcDecoder, PipelineSpec, SlidingWindow

        self.script = script
        self.spec = PipelineSpec(
            rate_hz=100.0, channels=("C3",), vocabulary=("", "a"), decoder=CtcDecoder(),
            window=SlidingWindow(window_samples=HOP, hop_samples=HOP),
        )  # fmt: skip

    def chain(self) -> Scripted:
        self.n_samples = self.n_calls = 0
        return self

    def push(self, samples: np.ndarray) -> list[Output]:
        self.n_samples += len(samples)
        self.n_calls += 1
        return self.script[self.n_calls - 1]

    def finish(self) -> list[Output]:
        return self.script[-1]


def heard(*script: list[Output]) -> Listening:
    return listen(Scripted(*script), NOTHING)  # type: ignore[arg-type]


def test_finals_come_with_when_they_came() -> None:
    abstained = Event("abstained", 0, 0)
    found = heard([], [final("ab")], [abstained], [final("c", delete=1)], [], [final("d")])
    assert found.transcript == "acd"
    assert found.emitted == (20, 40, 50)
    assert found.character_emitted().tolist() == [20, 40, 50]
    assert found.n_symbols == 4
    assert found.n_samples == 50


@pytest.mark.parametrize(
    ("script", "n_taken"),
    [
        (([partial("a")], [partial("ab")], [final("a"), partial("b")], [], [], []), 0),
        (([partial("ab")], [partial("cb")], [], [], [], []), 2),
        (([partial("ab")], [partial("")], [], [], [], []), 2),
        (([final("ab")], [final("", delete=1)], [], [], [], []), 1),
        (([partial("abc")], [final("ab"), partial("d")], [], [], [], []), 1),
    ],
)
def test_what_is_shown_and_taken_back_is_counted(
    script: tuple[list[Output], ...], n_taken: int
) -> None:
    assert heard(*script).n_taken == n_taken


def test_a_reading_says_how_late_and_how_wrong() -> None:
    sessions = [
        HeldOut("abc", NOTHING, NOTHING, ends=(5, 15, 25)), HeldOut("b", NOTHING, NOTHING, (8,))
    ]  # fmt: skip
    listened = [
        heard([], [final("a")], [], [final("xc")], [], []), heard([], [], [], [], [], [])
    ]  # fmt: skip
    reading = read(sessions, listened, rate_hz=100.0)
    assert (reading.substitutions, reading.deletions, reading.insertions) == (1, 1, 0)
    assert reading.cer == 2 / 4
    assert reading.wrong_finals == 1 / 3
    assert reading.n_final_symbols == 3
    assert reading.lag_p50_s == pytest.approx(0.15)
    assert (reading.characters, reading.texts) == (4, 2)


def test_a_reading_of_silence_has_no_lag() -> None:
    reading = read([HeldOut("ab", NOTHING, NOTHING)], [heard([], [], [], [], [], [])], rate_hz=1.0)
    assert (reading.cer, reading.wrong_finals, reading.flicker) == (1.0, 0.0, 0.0)
    assert reading.lag_p50_s is reading.lag_p95_s is None
