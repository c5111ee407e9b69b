import numpy as np
import pytest

from tests.null_sets import data_set, references
from tools.evaluation.judgement import Claim, Judge, Judgement
from tools.evaluation.pairs import Pair
from tools.evaluation.summary import lines, summary


def heard(seed: int, *, effect: float) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """Sixty texts, each once to five people."""
    return data_set(seed, effect=effect, n_each=1)


def judged(
    pairs: list[Pair], controls: dict[str, list[Pair]], claim: Claim | None = None, n: int = 299
) -> Judgement:
    judge = Judge(pairs, claim or Claim("words"), n_draws=1000, n_permutations=n)
    return judge.judge(controls)


@pytest.mark.parametrize("seed", range(4))
def test_a_deaf_system_is_never_said_to_read(seed: int) -> None:
    assert judged(*heard(seed, effect=0.0)).verdict.verdict == "not shown"


@pytest.fixture(scope="module")
def hearing() -> Judgement:
    return judged(*heard(0, effect=0.3))


def test_a_hearing_system_is_said_to_read(hearing: Judgement) -> None:
    found = hearing
    assert found.verdict.verdict == "reads EEG"
    assert all(one.share.low > one.chance for one in found.identification)


def test_without_noise_outputs_reading_is_not_shown() -> None:
    found = judged(heard(0, effect=0.3)[0], {})
    assert found.verdict.verdict == "not shown"
    assert found.verdict.holds == {"a": True, "b": False, "c": True, "d": True}


def test_outputs_paired_anew_at_random_show_nothing() -> None:
    pairs, controls = heard(1, effect=0.3)
    rng = np.random.default_rng(0)
    by_length = sorted(range(len(pairs)), key=lambda k: len(pairs[k].reference.split()))
    other = dict(zip(by_length, _shuffled_in_strata(rng, by_length), strict=True))
    anew = [
        Pair(reference=p.reference, subject=p.subject, hypothesis=pairs[other[k]].hypothesis)
        for k, p in enumerate(pairs)
    ]
    assert judged(anew, controls).verdict.verdict == "not shown"


def _shuffled_in_strata(rng: np.random.Generator, rows: list[int]) -> list[int]:
    return [int(k) for at in range(0, len(rows), 100) for k in rng.permutation(rows[at : at + 100])]


def test_texts_that_were_trained_on_are_counted_and_forbid_the_verdict() -> None:
    pairs, controls = heard(0, effect=0.3)
    claim = Claim("words", training=[pairs[0].reference, "something else"])
    found = judged(pairs, controls, claim)
    assert found.evidence.n_shared_texts == 1
    assert found.verdict.verdict == "not shown"


def test_a_system_that_reads_only_what_it_was_trained_on_fools() -> None:
    read, controls = heard(2, effect=0.5)
    deaf = controls["noise"]
    texts = sorted({pair.reference for pair in read})
    seen = set(texts[: len(texts) // 2])
    rows = [h if h.reference in seen else d for h, d in zip(read, deaf, strict=True)]
    others = sorted(set().union(*(references(k) for k in range(9, 18))))
    claim = Claim("words", training=[*others, *seen], seen=[r.reference in seen for r in rows])
    found = judged(rows, controls, claim)
    assert found.verdict.verdict == "fooled"
    assert "only on texts that training saw" in " ".join(found.verdict.reasons)


def test_selections_are_judged_by_trials() -> None:
    rng = np.random.default_rng(3)
    truth = rng.choice(list("abcdefgh"), 120)
    read = np.where(rng.random(120) < 0.8, truth, rng.choice(list("abcdefgh"), 120))
    pairs = [Pair(reference=a, hypothesis=b) for a, b in zip(truth, read, strict=True)]
    noise = [
        Pair(reference=a, hypothesis=b) for a, b in zip(truth, rng.permutation(read), strict=True)
    ]
    found = judged(pairs, {"noise": noise}, Claim("selections", uses_lm=False))
    assert found.evidence.n_units == 120
    assert found.verdict.verdict == "reads EEG"
    assert judged(noise, {"noise": noise}, Claim("selections")).verdict.verdict == "not shown"


def test_summary_and_lines_hold_the_contract(hearing: Judgement) -> None:
    found = hearing
    last = summary(found, how="basic")
    assert {"type", "wer", "cer", "bleu", "interval", "controls", "verdict", "reasons"} <= set(last)
    assert last["type"] == "summary"
    assert last["interval"]["wer"][0] < last["wer"] < last["interval"]["wer"][1]
    text = "\n".join(lines(found, how="basic"))
    assert "verdict: reads EEG" in text
    assert "normalised: basic" in text
