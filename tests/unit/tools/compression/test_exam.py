"""Bundles are compared row by row, the first one being the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.compression.exam import Exam

TRUTHS = ["hello", "world", "again", "hello"]

SAID = {
    "good": ["hello", "world", "again", "hello"],
    "bad": ["hellx", "world", "agaix", "hello"],
}


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.compression.exam.open_engine", lambda path: path.name)


def read(name: Any) -> list[str]:
    return SAID[name]


def test_errors_are_of_all_rows_and_differences_of_the_same_rows(engines: None) -> None:
    exam = Exam(TRUTHS, read)
    exam.hear({"a": Path("good"), "b": Path("bad")})
    assert exam.names == ["a", "b"]
    assert (exam.n_texts, exam.n_units) == (4, 20)
    found = exam.errors("b")
    assert (found.cer, found.more) == (0.1, 0.1)
    assert found.more_95[0] < 0.1 < found.more_95[1]
    assert exam.errors("a").more_95 == (0.0, 0.0)
    assert exam.more("a", "b").estimate == -0.1


def test_the_constant_is_chosen_on_the_texts_themselves(engines: None) -> None:
    assert Exam(TRUTHS, read).constant == 0.45  # always "hello": 4 and 5 edits of 20
    assert Exam(TRUTHS, read, unit="selections").constant == 0.5


def test_more_can_be_heard_later_and_the_original_stays_the_first(engines: None) -> None:
    exam = Exam(TRUTHS, read)
    exam.hear({"a": Path("bad")})
    exam.hear({"b": Path("good")})
    assert exam.errors("b").more == -0.1
    assert exam.loss("b", most=0.5).n_units == 20


def test_selections_are_right_or_wrong_and_no_two_are_the_same_text(engines: None) -> None:
    exam = Exam(TRUTHS, read, unit="selections", people=["p", "p", "q", "q"])
    exam.hear({"a": Path("good"), "b": Path("bad")})
    assert exam.n_units == 4
    assert exam.errors("b").cer == 0.5
    assert exam.loss("b", most=0.9).n_texts == 4


def test_what_differs_in_no_text_may_differ_in_the_next(engines: None) -> None:
    truths = [f"{k}" for k in range(64)]
    exam = Exam(truths, lambda _: truths, unit="selections")
    exam.hear({"a": Path("good"), "b": Path("good too")})
    low, high = exam.errors("b").more_95
    assert high == -low == pytest.approx(3.7 / 64)
    assert exam.loss("b", most=0.9).bound == pytest.approx(3.0 / 64)


def test_who_errs_as_much_as_a_constant_has_nothing_to_lose(engines: None) -> None:
    exam = Exam(TRUTHS, lambda _: ["never"] * 4, unit="selections")
    exam.hear({"a": Path("good")})
    assert "(100.0% and 50.0%)" in exam.doubts()[0]
    better = Exam(TRUTHS, read, unit="selections")
    better.hear({"a": Path("good")})
    assert better.doubts() == ()
