"""The word search beside flashlight-text's, without a language model, scores added up.

Flashlight spells the boundary at the end of each word, so the last frame here is surely one. (Where
words are spelled without it, flashlight lets no word hold its last symbol for a second frame.)
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from flashlight.lib.text.decoder import (
    CriterionType,
    LexiconDecoder,
    LexiconDecoderOptions,
    SmearingMode,
    Trie,
    ZeroLM,
)
from numpy.typing import NDArray

from pipeline.ctc_lexicon import LexiconBeam, Words
from pipeline.lexicon import read_lexicon

VOCABULARY = ("", "a", "b", "c", "d", "SIL")
SIL = VOCABULARY.index("SIL")
SPELLED = (
    *("to\ta", "too\ta", "ab\ta b", "ab\tb a", "bee\tb b", "cab\tc a b"),
    *("see\tc", "dad\td a d", "add\ta d d", "bad\tb a d"),
)
LEXICON = read_lexicon(SPELLED, vocabulary=VOCABULARY)
WIDE = 5000

Frames = NDArray[np.float64]


def flashlight(log_p: Frames, *, word_score: float) -> dict[tuple[int, ...], float]:
    """Return the score of each word sequence that flashlight-text finds."""
    trie = Trie(len(VOCABULARY), 0)
    words = LEXICON.words()
    for line in SPELLED:
        word, spelled = line.split("\t")
        trie.insert([VOCABULARY.index(s) for s in (*spelled.split(), "SIL")], words.index(word), 0)
    trie.smear(SmearingMode.NONE)
    options = LexiconDecoderOptions(
        beam_size=WIDE,
        beam_size_token=len(VOCABULARY),
        beam_threshold=1e9,
        lm_weight=0.0,
        word_score=word_score,
        unk_score=-math.inf,
        sil_score=0.0,
        log_add=True,
        criterion_type=CriterionType.CTC,
    )
    is_token_lm = False
    decoder = LexiconDecoder(options, trie, ZeroLM(), SIL, 0, -1, [], is_token_lm)
    emissions = np.ascontiguousarray(log_p, np.float32)
    found = decoder.decode(emissions.ctypes.data, *emissions.shape)
    return {tuple(w for w in h.words if w >= 0): h.score for h in found}


@pytest.mark.parametrize("seed", range(25))
def test_the_best_words_and_all_scores_are_those_of_flashlight(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.5] * len(VOCABULARY), size=int(rng.integers(2, 9)))
    log_p = np.log(p + 1e-6)
    log_p[-1] = -100.0
    log_p[-1, SIL] = 0.0
    word_score = float(rng.choice([0.0, 0.5, -0.5]))
    theirs = flashlight(log_p, word_score=word_score)
    beam = LexiconBeam(Words(LEXICON), width=WIDE, length_bonus=word_score)
    for t, frame in enumerate(log_p):
        beam.step(frame, t)
    beam.end(quiet_since=10**9)
    ours = {h.tail: h.score for h in beam.best(WIDE)}
    assert max(theirs.values()) == pytest.approx(max(ours.values()), abs=1e-5)
    assert len(theirs) > 1
    for words, score in theirs.items():
        assert ours[words] == pytest.approx(score, abs=1e-5)
