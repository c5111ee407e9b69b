"""Words and language models of a bundle: used as its decoder says, refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BundleError, UsageError
from pipeline.spec import CtcDecoder
from pipeline.values import Text
from runtime.engine import open_engine
from tests.bundles import CHANNELS, ctc_spec, make_bundle

LEXICON = b"abba\ta b b a\nbaa\tb a a\nba\tb a\n"
WORDS = b"""\\data\\
ngram 1=4
\\1-grams:
-0.5\tabba
-0.9\tba
-1.5\tbaa
-1\t</s>
\\end\\
"""


def bundle(folder: Path, extra: dict[str, bytes], **settings: Any) -> Path:
    decoder = CtcDecoder(**{"method": "lexicon", "beam": 16, "endpoint_s": 0.2, **settings})
    make_bundle(folder / "b", spec=ctc_spec(decoder=decoder), extra=extra)
    return folder / "b"


def test_a_bundle_with_words_writes_words(tmp_path: Path) -> None:
    files = {"lexicon.txt": LEXICON, "words.arpa": WORDS, "lm.arpa": b"not read"}
    engine = open_engine(bundle(tmp_path, files, lm_weight=0.5))
    assert engine.lm is None
    assert engine.words is not None
    assert engine.words.lm is not None
    chain = engine.chain()
    rng = np.random.default_rng(0)
    samples = (30 * rng.standard_normal((5000, len(CHANNELS)))).astype(np.float32)
    outputs = [*chain.push(samples), *chain.finish()]
    finals = [o for o in outputs if isinstance(o, Text) and o.kind == "final"]
    assert finals
    said = "".join(text.text for text in finals)
    assert said.endswith(" ")
    assert set(said.split()) <= {"abba", "baa", "ba"}
    assert {symbol for text in finals for symbol in text.symbols} <= {"abba ", "baa ", "ba "}
    assert all(len(text.nbest) <= 3 for text in finals)


def test_without_weight_the_word_model_is_not_read(tmp_path: Path) -> None:
    engine = open_engine(bundle(tmp_path, {"lexicon.txt": LEXICON, "words.arpa": b"no model"}))
    assert engine.words is not None
    assert engine.words.lm is None


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "holds no lexicon.txt"),
        ({"lexicon.txt": b"abba\ta x"}, "lexicon.txt, line 1: symbol 'x'"),
        ({"lexicon.txt": b"\xff"}, "lexicon.txt: not UTF-8"),
        ({"lexicon.txt": LEXICON, "words.arpa": b"\\data\\"}, "words.arpa, line 1"),
    ],
)
def test_a_bundle_without_usable_words_is_refused(
    tmp_path: Path, files: dict[str, bytes], problem: str
) -> None:
    path = bundle(tmp_path, files, lm_weight=0.5)
    with pytest.raises(BundleError, match=problem):
        open_engine(path)


def test_words_may_be_asked_for_and_their_model_weighted(tmp_path: Path) -> None:
    path = bundle(tmp_path, {"lexicon.txt": LEXICON}, method="beam")
    assert open_engine(path).words is None
    assert open_engine(path, decoder={"method": "lexicon"}).words is not None
    with pytest.raises(UsageError, match="no language model"):
        open_engine(path, decoder={"method": "lexicon", "lm_weight": "1"})
