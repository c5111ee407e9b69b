from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tests.given import DATA, needs_data
from tools.training.data.settings import DataSettings
from tools.training.data.splits import (
    HELD_OUT,
    TRAINING,
    VALIDATION,
    assign,
    check_disjoint,
    group_of,
    split,
    split_cuts,
)

NINE_TENTHS = {"train": 0.9, "held out": 0.1}
THREE = {"train": 0.7, "validation": 0.15, "test": 0.15}


@dataclass(frozen=True)
class Item:
    text: str
    subject: str = ""
    session: str = ""


TEXTS = st.sampled_from(["", "a", "bb", "ccc", "A.", "d e"])
ITEMS = st.builds(Item, TEXTS, st.sampled_from("xyz"), st.sampled_from("12"))


def test_three_sentences_give_each_part_something_and_rest_trains() -> None:
    items = [Item("yes"), Item(""), Item("no"), Item("yes"), Item("water please")]
    parts = split(items, by="sentence", shares=NINE_TENTHS, seed=0)
    assert sorted((*parts["train"], *parts["held out"])) == [0, 1, 2, 3, 4]
    assert len({items[k].text for k in parts["held out"]}) == 1
    assert 1 in parts["train"]
    three = split(items, by="sentence", shares=THREE, seed=0)
    assert [len({items[k].text for k in own} - {""}) for own in three.values()] == [1, 1, 1]


def test_two_sessions_are_one_for_each_part_with_their_rests() -> None:
    items = [Item(text, "ada", session) for session in "12" for text in ("a", "b", "")]
    parts = split(items, by="session", shares=NINE_TENTHS, seed=0)
    assert sorted(parts.values()) == [(0, 1, 2), (3, 4, 5)]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("sentence", "1 sentence in the data, wanted at least 2, for train and held out share"),
        ("subject", "1 subject in the data"),
    ],
)
def test_too_few_to_split_is_one_sentence(by: str, said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        split([Item("a"), Item("A. ")], by=by, shares=NINE_TENTHS, seed=0)  # type: ignore[arg-type]


def test_a_share_of_nothing_is_an_empty_part() -> None:
    parts = split([Item("a")], by="sentence", shares={"train": 1.0, "held out": 0.0}, seed=0)
    assert parts == {"train": (0,), "held out": ()}


def test_a_sentence_is_the_same_whatever_its_case_spaces_and_stops() -> None:
    same = {
        group_of(Item(text), by="sentence") for text in ("Hi  there.", " hi there", "hi there?!")
    }
    assert same == {"hi there"}
    assert group_of(Item("it's"), by="sentence") != group_of(Item("its"), by="sentence")


def test_what_parts_share_is_named() -> None:
    parts = {
        "train": [Item("hello", "ada", "1"), Item("", "ada", "1")],
        "test": [Item("Hello.", "eve", "1"), Item("", "eve", "1")],
    }
    check_disjoint(parts, by="subject")
    check_disjoint(parts, by="session")
    with pytest.raises(RecordingError, match=r"train and test share the sentence 'Hello\.'"):
        check_disjoint(parts, by="sentence")
    with pytest.raises(RecordingError, match="share the session 'ada 1'"):
        check_disjoint({"a": [Item("x", "ada", "1")], "b": [Item("y", "ada", "1")]}, by="session")


def test_one_large_session_trains_whatever_the_order() -> None:
    items = [Item(f"{k:03}", "ada", "1" if k < 100 else str(k)) for k in range(112)]
    for seed in range(30):
        parts = split(items, by="session", shares=NINE_TENTHS, seed=seed)
        assert set(range(100)) <= set(parts["train"])
        assert 6 <= len(parts["held out"]) <= 12


def test_every_part_has_its_share_of_each_length_and_each_class() -> None:
    rng = np.random.default_rng(0)
    items = [Item("x" * int(n) + f"{k:03}") for k, n in enumerate(rng.integers(1, 60, 600))]
    parts = split(items, by="sentence", shares=THREE, seed=1)
    lengths = np.array([len(item.text) for item in items])
    for name, share in THREE.items():
        own = lengths[list(parts[name])]
        assert abs(len(own) - share * 600) <= 3
        assert abs(np.median(own) - np.median(lengths)) < 5
    classes = ["rare" if k % 10 == 0 else "common" for k in range(100)]
    shares = {"train": 0.8, "test": 0.2}
    placed = assign([str(k) for k in range(100)], classes, shares=shares, seed=0, what="trial")
    assert sum(p == "test" and c == "rare" for p, c in zip(placed, classes, strict=True)) == 2
    assert sum(p == "test" for p in placed) == 20


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ITEMS, min_size=1, max_size=30),
    st.sampled_from(["sentence", "session", "subject"]),
    st.integers(0, 5),
)
def test_parts_are_disjoint_complete_and_a_function_of_the_seed(
    items: list[Item], by: str, seed: int
) -> None:
    shares = {"train": 0.6, "held out": 0.4}
    groups = {group_of(i, by=by) for i in items if i.text or by != "sentence"}  # type: ignore[arg-type]
    if len(groups) < 2:
        with pytest.raises(RecordingError):
            split(items, by=by, shares=shares, seed=seed)  # type: ignore[arg-type]
        return
    parts = split(items, by=by, shares=shares, seed=seed)  # type: ignore[arg-type]
    assert parts == split(items, by=by, shares=shares, seed=seed)  # type: ignore[arg-type]
    assert all(parts.values())
    assert sorted(k for own in parts.values() for k in own) == list(range(len(items)))
    check_disjoint({n: [items[k] for k in own] for n, own in parts.items()}, by=by)  # type: ignore[arg-type]


def test_what_is_held_out_is_the_same_with_and_without_validation() -> None:
    items = [Item(f"text {k}") for k in range(40)]
    settings_ = DataSettings(held_out=0.2, split_seed=3)
    without = split_cuts(items, settings_)
    found = split_cuts(items, settings_, validation=0.2)
    assert found[HELD_OUT] == without[HELD_OUT]
    assert set(found[TRAINING]) | set(found[VALIDATION]) == set(without[TRAINING])
    assert [len(found[name]) for name in (TRAINING, VALIDATION, HELD_OUT)] == [24, 8, 8]
    other = split_cuts(items, DataSettings(held_out=0.2, split_seed=4))
    assert other[HELD_OUT] != without[HELD_OUT]


@needs_data
def test_the_given_phrases_are_split_by_distinct_text() -> None:
    lines = (DATA / "text" / "aac_phrases.txt").read_text("utf-8").splitlines()
    items = [Item(line.replace(" ", "").replace("<sp>", " ")) for line in lines]
    assert (len(items), len({item.text for item in items})) == (997, 934)
    parts = split(items, by="sentence", shares=THREE, seed=0)
    texts = {name: {items[k].text for k in own} for name, own in parts.items()}
    assert sum(map(len, texts.values())) == 934
    assert sum(map(len, parts.values())) == 997
    for name, share in THREE.items():
        assert abs(len(parts[name]) - share * 997) <= 3
