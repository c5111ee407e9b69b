import dataclasses
from typing import Any

import pytest

from tools.evaluation.permutation import PermutationTest
from tools.evaluation.resampling import Interval
from tools.evaluation.rule import Against, Evidence, judge


def passed(p: float | None) -> PermutationTest:
    return PermutationTest(p, p, p, 0.0001, 4.0, 9999, 5)


def against(
    name: str, more: float, *, least: float, p: float | None = 0.5, over_baseline: float = -0.1
) -> Against:
    spread = more - least
    return Against(
        name=name,
        error=Interval(0.5 + more, 0.4 + more, 0.6 + more),
        more=Interval(more, more - 0.85 * spread, more + 0.85 * spread),
        within=Interval(more, more - 0.7 * spread, more + 0.7 * spread),
        least=least,
        over_baseline=over_baseline,
        test=passed(p),
    )


READS = Evidence(
    unit="words",
    n_units=100,
    error=Interval(0.5, 0.45, 0.55),
    with_lm=passed(0.0001),
    without_lm=passed(0.0001),
    controls={"noise": against("noise", 0.4, least=0.3)},
    baselines={
        "empty": against("empty", 0.5, least=0.4),
        "constant": against("constant", 0.3, least=0.2),
    },
)


def but(**changes: Any) -> Evidence:
    return dataclasses.replace(READS, **changes)


def test_all_conditions_together_are_reading() -> None:
    found = judge(READS)
    assert found.verdict == "reads EEG"
    assert "'constant'" in found.reasons[0]


@pytest.mark.parametrize(
    ("evidence", "letter", "said"),
    [
        (but(with_lm=passed(0.02)), "a", "language model on"),
        (but(without_lm=passed(0.3)), "a", "language model off"),
        (but(with_lm=passed(None)), "a", "too little to exchange"),
        (but(controls={}), "b", "no outputs for noise"),
        (but(controls={"noise": against("noise", 0.1, least=0.01)}), "b", "distinct texts would"),
        (but(controls={"noise": against("noise", 0.01, least=-0.1)}), "b", "no sample would"),
        (but(baselines={"empty": against("empty", 0.03, least=0.019)}), "c", "'empty'"),
        (but(n_units=29), "d", "29 distinct references, wanted 30"),
        (but(unit="selections", n_units=29), "d", "29 trials"),
        (but(n_shared_texts=1), "d", "1 texts were trained on"),
        (but(n_shared_recordings=2), "d", "2 recordings were trained on"),
        (but(claims_teacher_forced=True), "d", "teacher-forced"),
    ],
)
def test_one_condition_that_fails_is_enough_and_is_named(
    evidence: Evidence, letter: str, said: str
) -> None:
    found = judge(evidence)
    assert found.verdict == "not shown"
    assert [name for name, holds in found.holds.items() if not holds] == [letter]
    assert any(reason.startswith(f"({letter})") and said in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (
            but(controls={"noise": against("noise", 0.3, least=0.2, p=0.0001)}),
            "noise passes the permutation test too",
        ),
        (
            but(controls={"noise": against("noise", 0.3, least=0.2, over_baseline=0.021)}),
            "alone beats every text-only baseline",
        ),
        (
            but(controls={"noise": against("noise", 0.0, least=-0.01)}),
            "errs the same within 0.02",
        ),
        (but(reads_seen_only=True), "only on texts that training saw"),
        (
            but(
                controls={},
                claims_teacher_forced=True,
                error=Interval(1.1, 1.0, 1.2),
                teacher_forced=Interval(0.8, 0.7, 0.9),
            ),
            "teacher forcing makes the claimed error 0.300 lower",
        ),
    ],
)
def test_being_fooled_needs_evidence_of_its_own(evidence: Evidence, said: str) -> None:
    found = judge(evidence)
    assert found.verdict == "fooled"
    assert any(said in reason for reason in found.reasons)


def test_teacher_forcing_that_nobody_claims_fools_nobody() -> None:
    forced = Interval(0.2, 0.1, 0.3)
    assert judge(but(controls={}, teacher_forced=forced)).verdict == "not shown"
    assert judge(but(teacher_forced=forced)).verdict == "reads EEG"


def test_several_controls_are_held_to_what_several_may_do_by_chance() -> None:
    many = {f"n{k}": against(f"n{k}", 0.4, least=0.3, p=0.009 if k == 0 else 0.5) for k in range(3)}
    assert judge(but(controls=many)).verdict == "reads EEG"


def test_what_is_taken_on_trust_is_said() -> None:
    found = judge(but(on_trust=("that no text was trained on",)))
    assert found.verdict == "reads EEG"
    assert found.reasons[-1] == "taken on trust: that no text was trained on"
