"""The search tries each share once, the plain ones first, and finds what is good."""

from __future__ import annotations

import pytest

from tests.unit.tools.compression.optimizing.test_choice import figures
from tools.compression.optimizing.search import WORST, search, values_of
from tools.compression.optimizing.walk import Step, Walk, key_of


def answer(amounts: dict[str, float]) -> Walk:
    """Removing hidden units is free up to a half; removing features costs errors at once."""
    hidden, features = amounts.get("hidden", 0.0), amounts.get("features", 0.0)
    lost = 0.1 * max(0.0, hidden - 0.5) + 0.05 * features
    made = figures(lost, 1.0 - 0.8 * hidden, 1000 - round(900 * hidden))
    return Walk(amounts=amounts, steps=(Step(name="pruned", claim="faster", figures=made),))


def test_every_walk_is_made_once_the_whole_one_and_the_plain_ones_first() -> None:
    heard: list[str] = []
    found = search(
        answer,
        ("features", "hidden"),
        n_walks=6,
        size_bytes=1000,
        on_walk=lambda walk: heard.append(walk.key),
    )
    assert [walk.key for walk in found] == heard
    assert len(set(heard)) == 6
    assert heard[:4] == [
        "whole",
        "features=0.5,hidden=0.5",
        "features=0.7,hidden=0.7",
        "features=0.8,hidden=0.8",
    ]


@pytest.mark.parametrize(
    ("most", "shares"), [(0.6, [0.5, 0.7, 0.6]), (0.3, [0.5, 0.3, 0.4]), (0.1, [0.5, 0.3, 0.2])]
)
def test_plain_shares_close_in_on_what_is_kept(most: float, shares: list[float]) -> None:
    def walk(amounts: dict[str, float]) -> Walk:
        refused = "too much" if amounts.get("hidden", 0.0) > most else None
        made = figures(0.0, 0.5, 500)
        step = Step(name="pruned", claim="faster", figures=made, refused=refused)
        return Walk(amounts=amounts, steps=(step,))

    _, *found = search(walk, ("hidden",), n_walks=4, size_bytes=1000)
    assert [one.amounts["hidden"] for one in found] == shares


def test_the_same_seed_tries_the_same() -> None:
    one, two = (search(answer, ("hidden",), n_walks=5, size_bytes=1000) for _ in range(2))
    assert [walk.key for walk in one] == [walk.key for walk in two]


def test_without_kinds_there_is_nothing_to_remove() -> None:
    assert [walk.key for walk in search(answer, (), n_walks=6, size_bytes=1000)] == ["whole"]


def test_a_search_ends_where_all_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.compression.optimizing.search.FIRST", 0.1)
    monkeypatch.setattr("tools.compression.optimizing.search.STEPS", (0.0,))
    monkeypatch.setattr("tools.compression.optimizing.search.MOST", 0.1)
    found = search(answer, ("hidden",), n_walks=4, size_bytes=1000)
    assert [walk.key for walk in found] == ["whole", "hidden=0.1"]


def test_values_are_of_the_last_step_kept_or_the_first_that_was_made() -> None:
    kept = Step(name="pruned", claim="faster", figures=figures(0.01, 0.5, 400))
    refused = Step(name="int8", claim="faster", figures=figures(0.2, 0.4, 100), refused="no")
    unmade = Step(name="float16", claim="smaller", refused="cannot be made")
    walk = Walk(amounts={}, steps=(kept, refused, unmade))
    assert values_of(walk, 1000) == (0.01, 0.5, 0.4)
    assert values_of(Walk(amounts={}, steps=(refused, unmade)), 1000) == (0.2, 0.4, 0.1)
    assert values_of(Walk(amounts={}, steps=(unmade,)), 1000) == WORST


def test_amounts_are_named_as_on_a_command_line() -> None:
    assert key_of({"hidden": 0.5, "features": 0.25}) == "features=0.25,hidden=0.5"
    assert key_of({}) == "whole"
