from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tests.given import needs_data, recording
from tools.recordings.layout import P300Layout, SsvepLayout, parse_layout, read_layout

KEYS = [
    {"symbol": "A", "frequency_hz": 8, "phase_rad_over_pi": 0.0},
    {"symbol": "B", "frequency_hz": 8, "phase_rad_over_pi": 1.0},
    {"symbol": "<backspace>", "frequency_hz": 9.5},
]


def layout(**changes: object) -> bytes:
    return json.dumps({"kind": "ssvep", "stimulus": "stim:on", "symbols": KEYS} | changes).encode()


def keys(**changes: object) -> list[dict[str, object]]:
    return [*KEYS, {"symbol": "C", "frequency_hz": 10.0} | changes]


def test_a_good_one_is_read_in_order() -> None:
    parsed = parse_layout(layout(trial_s=1.2), where="keys.json")
    assert isinstance(parsed, SsvepLayout)
    assert parsed.vocabulary == ("A", "B", "<backspace>")
    assert [s.frequency_hz for s in parsed.symbols] == [8.0, 8.0, 9.5]
    assert parsed.response_delay_s == 0.14


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "telepathy"}, "Invalid value 'telepathy' - at `$.kind`"),
        ({"symbols": [{"symbol": "A"}]}, "missing required field `frequency_hz`"),
        ({"symbols": keys(symbol="A")}, "symbol 'A' is there twice"),
        ({"symbols": keys(symbol="")}, "empty symbol"),
        ({"symbols": keys(frequency_hz=0)}, "symbols 'C': frequency_hz is 0.0"),
        ({"symbols": keys(frequency_hz="9 Hz")}, "Expected `float`, got `str`"),
        ({"symbols": keys(frequency_hz=8, phase_rad_over_pi=2.0)}, "'A' and 'C' flicker alike"),
        ({"symbols": KEYS[:1]}, "got 1, wanted 2 or more"),
        ({"symbols": []}, "got 0, wanted 2 or more"),
        ({"stimulus": ""}, "stimulus: got ''"),
        ({"response_delay_s": -0.1}, "response_delay_s: got -0.1"),
        ({"response_delay_s": 1e9}, "response_delay_s: got 1000000000.0"),
    ],
)
def test_a_wrong_one_is_refused_in_one_sentence(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        parse_layout(layout(**changes), where="keys.json")
    assert said in str(caught.value)
    assert str(caught.value).startswith("keys.json: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 65


def test_p300_symbols_that_always_flash_together_are_refused() -> None:
    def groups(second: list[str]) -> bytes:
        return json.dumps({"kind": "p300", "groups": {"r0": ["A", "B"], "c0": second}}).encode()

    parsed = parse_layout(groups(["A"]), where="x")
    assert isinstance(parsed, P300Layout)
    assert parsed.vocabulary == ("A", "B")
    with pytest.raises(RecordingError, match="'A' and 'B' always flash together"):
        parse_layout(groups(["A", "B"]), where="x")


def test_imagery_labels_are_distinct() -> None:
    symbols = [{"symbol": "yes", "label": "a"}, {"symbol": "no", "label": "a"}]
    with pytest.raises(RecordingError, match="label 'a' is there twice"):
        parse_layout(json.dumps({"kind": "imagery", "symbols": symbols}).encode(), where="x")


@given(st.binary(max_size=400))
def test_any_bytes_give_a_layout_or_our_error(data: bytes) -> None:
    with pytest.raises(RecordingError):
        parse_layout(data, where="x")


@given(st.integers(0, len(layout())), st.integers(0, 255))
def test_any_mutated_byte_gives_a_layout_or_our_error(at: int, value: int) -> None:
    data = bytearray(layout())
    data[at : at + 1] = bytes([value])
    try:
        parsed = parse_layout(bytes(data), where="x")
    except RecordingError:
        return
    assert len(parsed.vocabulary) >= 2


def test_deep_nesting_is_no_crash() -> None:
    with pytest.raises(RecordingError):
        parse_layout(b'{"kind":"ssvep","x":' + b"[" * 200_000, where="x")


def test_a_missing_file_is_told() -> None:
    from pathlib import Path

    with pytest.raises(RecordingError, match="cannot be read"):
        read_layout(Path("/nowhere/keys.json"))


@needs_data
def test_the_given_ones_are_read() -> None:
    assert len(read_layout(recording("ssvep32_layout.json")).vocabulary) == 32
    assert len(read_layout(recording("p300_layout.json")).vocabulary) == 64
