from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.messages import Final
from tests.messages import make_final
from tools.listener.speech import PAUSE_S, Speech, corrected


def final(transcript: str, text: str, *, delete: int = 0) -> Final:
    return make_final(
        text=text, delete=delete, transcript=transcript, transcript_length=len(transcript)
    )


def say(steps: list[tuple[str, int]], *, limit: int = 1000) -> list[str]:
    speech, read, said = Speech(), "", []
    for text, delete in steps:
        read = read[: len(read) - delete] + text
        said.append(speech.take(final(read[-limit:], text, delete=delete), now_s=0.0))
    said.append(speech.rest())
    return [line for line in said if line]


def test_letters_become_words() -> None:
    assert say([(letter, 0) for letter in "say help now"]) == ["say", "help", "now"]


def test_phrases_are_spoken_as_far_as_they_are_whole() -> None:
    assert say([("say help ", 0), ("now please", 0)]) == ["say help", "now", "please"]


def test_what_was_not_spoken_is_corrected_silently() -> None:
    assert say([("say hel", 0), ("", 1), ("", 1), ("i ", 0)]) == ["say", "hi"]


def test_a_spoken_word_that_is_corrected_is_spoken_again() -> None:
    assert say([("say hell ", 0), ("p ", 2)]) == ["say hell", "help"]
    assert say([("say hell ", 0), ("", 3), ("p ", 0)]) == ["say hell", "hep"]
    assert say([("say hell ", 0), ("", 9)]) == ["say hell"]


def test_a_word_without_an_end_is_spoken_after_a_pause() -> None:
    speech = Speech()
    assert speech.take(final("help", "help"), now_s=5.0) == ""
    assert speech.pause(now_s=5.0 + PAUSE_S / 2) == ""
    assert speech.pause(now_s=5.0 + PAUSE_S) == "help"
    assert speech.pause(now_s=99.0) == ""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (final("say help", "p", delete=1), "help"),
        (final("say hel", "", delete=1), "hel"),
        (final("say ", "", delete=3), ""),
        (final("say yes", "yes", delete=2), "yes"),
        (final("say\tno", "o", delete=1), "no"),
        (final("x" * 1000, "x" * 1500, delete=1), "x" * 1500),
    ],
)
def test_a_correction_begins_with_its_word(said: Final, line: str) -> None:
    assert corrected(said) == line


@given(st.lists(st.text(alphabet="ab \t", max_size=6), max_size=12))
def test_without_deletes_the_words_are_the_text(texts: list[str]) -> None:
    assert " ".join(say([(text, 0) for text in texts])).split() == "".join(texts).split()
