from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.values import Event, Marker, Text
from tools.console.trials import parse_trials
from tools.playback.scoring import Truth, score


def final(symbol: str, first: int, stop: int) -> Text:
    return Text(kind="final", text=symbol, symbols=(symbol,), samples=(first, stop))


def spelled() -> Truth:
    truth = Truth({})
    for k, label in enumerate("AB C"):
        truth.mark(Marker("trial:start", 100 * k, 0))
        truth.mark(Marker(f"label:{label}", 100 * k, 0))
        truth.mark(Marker("trial:end", 100 * k + 90, 0))
    truth.decided(final("A", 10, 60))
    truth.decided(final("X", 110, 160))
    truth.decided(Event("abstained", 260, 260, {"trial": 2, "reason": "unsure"}))
    truth.decided(final("C", 310, 360))
    return truth


def test_an_abstention_is_wrong_and_counted_apart() -> None:
    result = score(spelled(), "AXC", trials=None, n_symbols=4, rate_hz=100.0)
    assert result["symbols"] == {"correct": 2, "abstained": 1, "total": 4}
    assert result["reference"] == "AB C"
    assert result["cer"] == pytest.approx(0.5)
    # 2 of 4 right among 4: 2 + .5 ln2(.5) + .5 ln2(.5/3) = 0.2075 bits, 4 of them in 2.4 s
    assert result["itr_bits_per_min"] == pytest.approx(60 * 4 * 0.20752 / 2.4, rel=1e-3)


def test_only_chosen_trials_are_scored() -> None:
    result = score(spelled(), "A", trials=frozenset({0}), n_symbols=4, rate_hz=100.0)
    assert result["symbols"] == {"correct": 1, "abstained": 0, "total": 1}
    assert result["reference"] == "A"


def test_continuous_text_is_scored_by_characters_and_words() -> None:
    truth = Truth({})
    for text in ("text:good morning", "text:end", "text:sun", "text:end"):
        truth.mark(Marker(text, 0, 0))
    result = score(truth, "good morming sun", trials=None, n_symbols=30, rate_hz=100.0)
    assert result["reference"] == "good morning sun"
    assert result["cer"] == pytest.approx(1 / 16)
    assert result["wer"] == pytest.approx(1 / 3)
    assert result["symbols"] is None


def test_without_truth_there_is_no_score() -> None:
    result = score(Truth({}), "abc", trials=None, n_symbols=3, rate_hz=100.0)
    assert (result["transcript"], result["reference"], result["cer"]) == ("abc", None, None)


def test_backspaces_are_done_in_the_reference() -> None:
    truth = Truth({})
    for k, label in enumerate(["<backspace>", "A", "B", "<backspace>", "C"]):
        truth.mark(Marker("trial:start", k, k))
        truth.mark(Marker(f"label:{label}", k, k))
    assert score(truth, "AC", trials=None, n_symbols=4, rate_hz=1.0)["reference"] == "AC"


def test_trials_are_numbers_and_ranges() -> None:
    assert parse_trials(None) is None
    assert parse_trials("0-3,5") == {0, 1, 2, 3, 5}
    for wrong in ("", "a", "3-1", "1-", "-1", "1,,2", "0-99999999"):
        with pytest.raises(UsageError, match="--trials"):
            parse_trials(wrong)
