from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from tools.console.trials import check_trials, count_trials, parse_trials


@pytest.mark.parametrize(
    ("text", "chosen"),
    [(None, None), ("0", {0}), ("0-3,5", {0, 1, 2, 3, 5}), ("7-7", {7}), ("2,1-2", {1, 2})],
)
def test_numbers_and_ranges_are_read(text: str | None, chosen: set[int] | None) -> None:
    assert parse_trials(text) == chosen


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "1,,2", "0x1", "9999999"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--trials"):
        parse_trials(text)


def test_a_number_beyond_the_recording_is_named() -> None:
    check_trials(None, n_trials=0, where="r")
    check_trials(frozenset({0, 3}), n_trials=4, where="r")
    with pytest.raises(UsageError, match=r"got 4, which r lacks: its trials are 0 to 3"):
        check_trials(frozenset({1, 4, 9}), n_trials=4, where="r")
    with pytest.raises(UsageError, match="got 0, which r lacks: it has no trials"):
        check_trials(frozenset({0}), n_trials=0, where="r")


@pytest.mark.parametrize(
    ("markers", "n_trials"),
    [
        (["trial:start", "stim:on", "stim:on", "begin", "trial:end"], 2),
        (["stim:on", "label:a", "flash"], 2),
        (["label:trial:start", "text:a", "other"], 0),
    ],
)
def test_trials_are_starts_or_else_stimuli(markers: list[str], n_trials: int) -> None:
    names = {"begin": "trial:start", "flash": "stim:on"}
    assert count_trials(markers, names) == n_trials
