from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BundleError
from pipeline.plain_text import check_plain, is_plain, shown


@given(st.text())
def test_what_is_shown_is_plain_and_plain_text_stays_as_it_is(text: str) -> None:
    assert is_plain(shown(text))
    assert (shown(text) == text) == is_plain(text)


@pytest.mark.parametrize(
    "char", ["\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066", "\u2028", "\udcff"]
)
def test_what_a_terminal_obeys_is_not_plain(char: str) -> None:
    assert not is_plain(f"a{char}b")
    assert char not in str(BundleError(f"b.eegb/a{char}b: not listed"))


def test_a_name_is_of_one_line() -> None:
    for text in ("a\nb", "a\tb"):
        assert is_plain(text)
        assert not is_plain(text, is_name=True)
    assert is_plain("Größe 漢字 ▁the", is_name=True)


@pytest.mark.parametrize(
    "found",
    [
        {"name": "a\nb"},
        {"pipeline": {"channels": ["Fz", "P\tz"]}},
        {"pipeline": {"vocabulary": ["", "\x1b[2J"]}},
        {"recipe": {"deep": [{"a\x1b": 1}]}},
    ],
)
def test_json_with_control_characters_is_refused(found: object) -> None:
    with pytest.raises(ValueError, match="control characters, wanted a? ?plain"):
        check_plain(found)
    check_plain({"vocabulary": ["", "\n"], "scores": {"n": 1, "cer": 0.5, "none": None}})
