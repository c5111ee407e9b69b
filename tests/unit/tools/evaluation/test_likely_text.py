import itertools
import math

from pipeline.language_model import LanguageModel
from pipeline.word_language_model import WordLanguageModel
from tools.evaluation.likely_text import _of_symbols, _of_words
from tools.language.language_model import arpa_lines
from tools.language.lm_units import Characters, Words

PHRASES = ["abba", "abab", "ab ba", "baba ab", "a b", "bab"] * 3
VOCABULARY = ("", "a", "b", " ")


def test_the_likeliest_text_of_each_length_is_found() -> None:
    model = Characters().train(PHRASES, order=3, prune=0.0, on_order=lambda _n: None)
    lm = LanguageModel.from_arpa(arpa_lines(model), vocabulary=VOCABULARY)

    def log_p(text: tuple[int, ...]) -> float:
        state, total = lm.start, 0.0
        for k in text:
            total += float(lm.scores(state)[k])
            state = lm.advance(state, k)
        return total + lm.end(state)

    found = _of_symbols(lm, VOCABULARY, 5)
    for n, text in found.items():
        best = max(itertools.product((1, 2, 3), repeat=n), key=log_p)
        assert math.isclose(log_p(text), log_p(best), rel_tol=1e-12)


def test_words_likewise(tmp_path: object) -> None:
    phrases = ["to be or not", "not to be", "be to", "or be not to"] * 3
    model = Words(None).train(phrases, order=2, prune=0.0, on_order=lambda _n: None)
    names = ["to", "be", "or", "not"]
    lm = WordLanguageModel.from_arpa(arpa_lines(model), words=names)
    found = _of_words(lm, len(names), 3)
    assert set(found) == {1, 2, 3}
    assert all(len(text) == n for n, text in found.items())
