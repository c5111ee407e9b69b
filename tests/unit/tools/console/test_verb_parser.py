"""Operands may stand wherever people put them."""

from __future__ import annotations

import itertools

import pytest

from tools.console.verb_parser import VerbParser


def parser() -> VerbParser:
    made = VerbParser(prog="eegscribe")
    verb = made.add_subparsers(dest="verb", parser_class=VerbParser).add_parser(
        "bench", allow_abbrev=False
    )
    verb.add_argument("bundle")
    verb.add_argument("recordings", nargs="*")
    verb.add_argument("--blocks", type=int, default=20)
    verb.add_argument("--json", action="store_true")
    return made


PARTS = [["b.eegb", "monday.xdf"], ["--blocks", "4"], ["tuesday.xdf"], ["--json"]]


@pytest.mark.parametrize("words", list(itertools.permutations(PARTS)))
def test_operands_stand_before_between_and_behind_options(words: tuple[list[str], ...]) -> None:
    given = [word for part in words for word in part]
    found = parser().parse_args(["bench", *given])
    named = [word for word in given if word.endswith(("b", "f"))]
    assert [found.bundle, *found.recordings] == named
    assert (found.blocks, found.json) == (4, True)


def test_a_verb_without_recordings_has_none() -> None:
    assert parser().parse_args(["bench", "b.eegb"]).recordings == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: bundle"),
        (["b.eegb", "--block", "4"], "unrecognized arguments: --block"),
        (["b.eegb", "--blocks", "x"], "argument --blocks: invalid int value: 'x'"),
    ],
)
def test_what_is_wrong_is_said_as_before(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parser().parse_args(["bench", *words])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_an_operand_that_excludes_an_option_is_parsed_as_ever() -> None:
    made = VerbParser(prog="eegscribe")
    group = made.add_mutually_exclusive_group(required=True)
    group.add_argument("words", nargs="?")
    group.add_argument("--corpus")
    assert made.parse_args(["w.txt"]).words == "w.txt"
    assert made.parse_args(["--corpus", "c.txt"]).corpus == "c.txt"
