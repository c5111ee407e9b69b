"""The corpus written for this project: its alphabet, its size, and that test text is unseen."""

from __future__ import annotations

import re
from pathlib import Path

import tools

DATA = Path(tools.__file__).parent / "data"


def phrases(name: str) -> list[str]:
    return (DATA / f"everyday_{name}.txt").read_text(encoding="utf-8").splitlines()


def words(phrase: str) -> tuple[str, ...]:
    return tuple(re.sub(r"[^a-z' ]", " ", phrase).split())


def one_word_shorter(phrase: tuple[str, ...]) -> set[tuple[str, ...]]:
    return {(*phrase[:k], "", *phrase[k + 1 :]) for k in range(len(phrase))}


def test_only_the_demo_alphabet_is_used() -> None:
    for phrase in phrases("train") + phrases("test"):
        assert re.fullmatch(r"[a-z](?:[a-z'., ?]*[a-z.?])?", phrase), phrase
        assert "  " not in phrase


def test_sizes() -> None:
    train, test = phrases("train"), phrases("test")
    assert len(train) >= 1500
    assert len(test) >= 150
    assert sum(map(len, test)) >= 4000


def test_phrases_are_distinct() -> None:
    for name in ("train", "test"):
        assert len({words(p) for p in phrases(name)}) == len(phrases(name))


def test_no_test_phrase_is_in_the_training_text() -> None:
    train = {words(p) for p in phrases("train")}
    train_text = "\n".join(" ".join(p) for p in sorted(train))
    for phrase in phrases("test"):
        assert words(phrase) not in train, phrase
        assert " ".join(words(phrase)) not in train_text, phrase


def test_no_test_phrase_is_one_word_away_from_a_training_phrase() -> None:
    train = {words(p) for p in phrases("train")}
    holes = {hole for phrase in train for hole in one_word_shorter(phrase)}
    for phrase in phrases("test"):
        assert not one_word_shorter(words(phrase)) & holes, phrase
        for hole in one_word_shorter(words(phrase)):
            assert tuple(w for w in hole if w) not in train, phrase
