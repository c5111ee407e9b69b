"""Language model scores beside a back-off reader that follows the definition word for word."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import language_model
from pipeline.language_model import LanguageModel

VOCABULARY = ("", *"abcdefghijklmnopqrstuvwxyz '.,?")
DATA = Path(os.environ.get("EEGSCRIBE_DATA", Path(__file__).parents[4] / "shared" / "data"))
GIVEN_ARPA = DATA / "text" / "char_12gram.arpa"

TINY = """\\data\\
ngram 1=5
ngram 2=5
ngram 3=2

\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\ta\t-0.2
-0.5\tb\t-99
-1.2\t<sp>\t-0.15

\\2-grams:
-0.2\t<s> a\t-0.4
-0.4\ta b\t0.05
-0.9\tb a
-0.8\tb </s>
-0.33\t<sp> a\t-0.7

\\3-grams:
-0.1\t<s> a b
-0.3\t<sp> a a

\\end\\
"""


class Reference:
    """P(w | h) where it is listed, else back-off(h) times P(w | h without its first token)."""

    def __init__(self, text: str) -> None:
        self.log10_p: dict[tuple[str, ...], float] = {}
        self.back_off: dict[tuple[str, ...], float] = {}
        for line in text.splitlines():
            fields = line.split()
            if len(fields) < 2 or line.startswith(("\\", "ngram")):
                continue
            has_back_off = line.count("\t") == 2
            gram = tuple(fields[1:-1] if has_back_off else fields[1:])
            self.log10_p[gram] = float(fields[0])
            self.back_off[gram] = float(fields[-1]) if has_back_off else 0.0
        self.order = max(map(len, self.log10_p))

    def score(self, history: tuple[str, ...], token: str) -> float:
        history = history[-(self.order - 1) :] if self.order > 1 else ()
        if (*history, token) in self.log10_p:
            return self.log10_p[*history, token] * math.log(10)
        if not history:
            return -math.inf
        back_off = self.back_off.get(history, 0.0) * math.log(10)
        return back_off + self.score(history[1:], token)


def tiny(vocabulary: tuple[str, ...] = ("", "a", "b", " "), **given: object) -> LanguageModel:
    return LanguageModel.from_arpa(TINY.splitlines(), vocabulary=vocabulary, **given)  # type: ignore[arg-type]


def walk(lm: LanguageModel, symbols: list[int]) -> tuple[list[float], int]:
    state, scores = lm.start, []
    for symbol in symbols:
        scores.append(float(lm.scores(state)[symbol]))
        state = lm.advance(state, symbol)
    return scores, state


@given(st.lists(st.integers(1, 3), max_size=8))
def test_tiny_model_equals_the_definition(symbols: list[int]) -> None:
    lm, reference = tiny(floor=-1e6), Reference(TINY)
    tokens = ("", "a", "b", "<sp>")
    history: tuple[str, ...] = ("<s>",)
    scores, state = walk(lm, symbols)
    for symbol, score in zip(symbols, scores, strict=True):
        assert score == pytest.approx(reference.score(history, tokens[symbol]), abs=1e-9)
        history = (*history, tokens[symbol])
    assert lm.end(state) == pytest.approx(reference.score(history, "</s>"), abs=1e-9)


@pytest.fixture(scope="module")
def given_model() -> tuple[LanguageModel, Reference]:
    if not GIVEN_ARPA.exists():
        pytest.skip(f"{GIVEN_ARPA.name} of the given data is missing (EEGSCRIBE_DATA)")
    text = GIVEN_ARPA.read_text(encoding="utf-8")
    lm = LanguageModel.from_arpa(text.splitlines(), vocabulary=VOCABULARY, floor=-1e6)
    return lm, Reference(text)


@pytest.mark.parametrize(
    "phrase",
    [
        "i want to go home",
        "please open the window, it is warm in here",
        "the current weather isn't nice",
        "xylophone qqq zz",
        "",
        "'",
    ],
)
def test_given_order_12_model_equals_the_definition(
    given_model: tuple[LanguageModel, Reference], phrase: str
) -> None:
    lm, reference = given_model
    state, history = lm.start, ("<s>",)
    for letter in phrase:
        for index, other in enumerate(VOCABULARY[1:], start=1):
            token = "<sp>" if other == " " else other
            assert lm.scores(state)[index] == pytest.approx(
                reference.score(history, token), abs=1e-9
            )
        state = lm.advance(state, VOCABULARY.index(letter))
        history = (*history, "<sp>" if letter == " " else letter)
        assert lm.end(state) == pytest.approx(reference.score(history, "</s>"), abs=1e-9)


def test_the_floor_bounds_impossible_symbols_and_ends() -> None:
    lm = tiny(floor=-5.0)
    _, after_b = walk(lm, [1, 2])  # "b" backs off by -99
    scores = lm.scores(after_b)
    assert scores.min() == -5.0
    assert scores[1] > -5.0
    _, after_space = walk(lm, [3])
    assert lm.end(after_space) > -5.0


def test_upper_case_and_given_mappings_and_unknown_symbols() -> None:
    lm = tiny(("", "A", "SPACE", "7", "<s>"), lm_symbols={"SPACE": "<sp>"})
    plain = tiny()
    mine, theirs = lm.scores(lm.start), plain.scores(plain.start)
    assert mine[1] == theirs[1]
    assert mine[2] == theirs[3]
    assert mine[3] == pytest.approx(-math.log(4))  # uniform: the tokens but <s>
    assert mine[4] == mine[3]  # <s> is nobody's symbol
    assert lm.advance(lm.start, 3) == 0  # the empty context


def test_an_unknown_symbol_gets_the_unknown_tokens_score_where_there_is_one() -> None:
    text = TINY.replace("<sp>", "<unk>")
    lm = LanguageModel.from_arpa(text.splitlines(), vocabulary=("", "a", "7"))
    assert lm.scores(0)[2] == pytest.approx(-1.2 * math.log(10))
    after_unknown = lm.advance(lm.start, 2)
    assert lm.scores(after_unknown)[1] == pytest.approx(-0.33 * math.log(10))  # <unk> a


def test_the_blank_costs_nothing_and_changes_nothing() -> None:
    lm = tiny()
    _, state = walk(lm, [1, 2])
    assert lm.scores(state)[0] == 0.0
    assert lm.advance(state, 0) == state


def test_forgotten_states_are_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "MAX_KEPT", 2)
    few, many = tiny(), tiny()
    symbols = [1, 2, 1, 3, 1, 1, 2, 3, 2, 1]
    assert walk(few, symbols) == walk(many, symbols)


def test_a_state_table_is_read_only() -> None:
    lm = tiny()
    with pytest.raises(ValueError, match="read-only"):
        lm.scores(lm.start)[1] = 0.0


def test_an_order_one_model_has_one_state() -> None:
    text = "\\data\\\nngram 1=2\n\\1-grams:\n-0.3 a\n-0.3 </s>\n\\end\\\n"
    lm = LanguageModel.from_arpa(text.splitlines(), vocabulary=("", "a"))
    assert lm.start == lm.advance(lm.start, 1) == 0
    assert np.isclose(lm.scores(0)[1], -0.3 * math.log(10))
