"""A judgement as JSON and as lines to read: each figure with its interval and its chance."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.rule import ALPHA, DELTA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.evaluation.judgement import Judgement
    from tools.evaluation.pairs import Normalisation
    from tools.evaluation.permutation import PermutationTest
    from tools.evaluation.resampling import Interval
    from tools.evaluation.rule import Against


def summary(found: Judgement, *, how: Normalisation, n_dropped: int = 0) -> dict[str, Any]:
    """Return the last line of ``--json``; its keys are a contract."""
    scores, evidence = found.scores, found.evidence
    intervals = {"wer": found.word_error, "cer": found.character_error, "primary": found.error}
    forced = evidence.teacher_forced
    return {
        "type": "summary",
        "wer": scores.wer,
        "cer": scores.cer,
        "bleu": scores.bleu,
        "exact": scores.exact,
        "interval": {
            "level": 0.95,
            **{name: _ends(one) for name, one in intervals.items() if one is not None},
        },
        "primary": {"error": found.claim.unit, "estimate": found.error.estimate},
        "normalise": how,
        "claim": "teacher-forced" if found.claim.teacher_forced else "free-running",
        "teacher_forced": None if forced is None else _estimate(forced),
        "rows": scores.n_rows,
        "rows_left_out": n_dropped,
        "distinct_references": scores.n_references,
        "distinct_hypotheses": scores.n_hypotheses,
        "most_frequent": {"hypothesis": scores.most_frequent, "rows": scores.n_most_frequent},
        "empty": scores.empty,
        "controls": {
            "permutation": {
                "language_model_on": asdict(evidence.with_lm),
                "language_model_off": (
                    None if evidence.without_lm is None else asdict(evidence.without_lm)
                ),
            },
            "inputs": {name: _against(one) for name, one in evidence.controls.items()},
            "baselines": {name: _against(one) for name, one in evidence.baselines.items()},
            "identification": [
                {"ways": one.n_ways, "chance": one.chance, **_estimate(one.share)}
                for one in found.identification
            ],
            "shared_texts": evidence.n_shared_texts,
            "shared_recordings": evidence.n_shared_recordings,
        },
        "rule": {"delta": DELTA, "alpha": ALPHA, "holds": dict(found.verdict.holds)},
        "verdict": found.verdict.verdict,
        "reasons": list(found.verdict.reasons),
    }


def lines(found: Judgement, *, how: Normalisation, n_dropped: int = 0) -> list[str]:
    """Return the judgement as lines to read."""
    scores, evidence = found.scores, found.evidence
    name = ERROR_NAMES[found.claim.unit]
    claim = "teacher-forced" if found.claim.teacher_forced else "free-running"
    out = [
        f"{scores.n_rows} rows, {scores.n_references} distinct references,"
        f" {scores.n_hypotheses} distinct hypotheses; {claim} output; normalised: {how}"
        + (f"; {n_dropped} rows without a reference left out" if n_dropped else ""),
        f"written most often, {scores.n_most_frequent} times: {scores.most_frequent[:70]!r};"
        f" empty: {scores.empty:.1%}",
        "",
        f"{'':46}{'error':>8}{'95 % interval':>20}",
    ]
    rates = (("WER", found.word_error), ("CER", found.character_error))
    out += [_row(title, one) for title, one in rates if one is not None]
    if found.claim.unit == "selections":
        out.append(_row(name, found.error))
    if evidence.teacher_forced is not None and not found.claim.teacher_forced:
        out.append(_row(f"{name} teacher-forced (no user can)", evidence.teacher_forced))
    out.append(
        f"{'exact':46}{scores.exact:8.1%}"
        + ("" if scores.bleu is None else f"    BLEU {scores.bleu:.2f}")
    )
    out += ["", f"{name + ' beside it':46}{'error':>8}{'more than EEG':>15}{'95 % interval':>20}"]
    out[-1] += f"{'at least':>10}{'p':>9}"
    out += _compared("noise", evidence.controls.values())
    out += _compared("text alone", evidence.baselines.values())
    out += ["", *_tests(found), "", *_identified(found), f"verdict: {found.verdict.verdict}"]
    return [*out, *(f"  {reason}" for reason in found.verdict.reasons)]


def _row(title: str, one: Interval) -> str:
    return f"{title:46}{one.estimate:8.4f}{_between(one):>20}"


def _compared(kind: str, others: Iterable[Against]) -> list[str]:
    return [
        f"{kind + ': ' + one.name:46}{one.error.estimate:8.4f}{one.more.estimate:+15.4f}"
        f"{_between(one.more):>20}{one.least:+10.4f}"
        + (f"{one.test.p:9.2g}" if one.test is not None and one.test.p is not None else "")
        for one in others
    ]


def _tests(found: Judgement) -> list[str]:
    evidence, out = found.evidence, []
    for name, test in (("on", evidence.with_lm), ("off", evidence.without_lm)):
        if test is not None:
            out.append(f"exchanged among references of like length, language model {name}: ")
            out[-1] += _told(test)
    return out


def _told(test: PermutationTest) -> str:
    if test.p is None:
        return f"too little to exchange (anything to anywhere {test.plain:.2g} proves nothing)"
    parts = [f"p = {test.p:.2g}"]
    if test.by_texts is not None:
        parts.append(f"by rows {test.by_rows:.2g}, by texts {test.by_texts:.2g}")
    parts.append(f"anything to anywhere {test.plain:.2g}, which never decides")
    return f"{parts[0]} ({'; '.join(parts[1:])}; {test.n_permutations} exchanges)"


def _identified(found: Judgement) -> list[str]:
    if not found.identification:
        return []
    parts = [
        f"{one.share.estimate:.1%} of {one.n_ways} [{one.share.low:.1%}, {one.share.high:.1%}]"
        f" (chance {one.chance:.1%})"
        for one in found.identification
    ]
    return [f"nearest to its own reference: {', '.join(parts)}", ""]


def _between(one: Interval) -> str:
    return f"[{one.low:.4f}, {one.high:.4f}]"


def _ends(one: Interval) -> list[float]:
    return [one.low, one.high]


def _estimate(one: Interval) -> dict[str, Any]:
    return {"estimate": one.estimate, "interval": _ends(one)}


def _against(one: Against) -> dict[str, Any]:
    return {
        "error": one.error.estimate,
        "interval": _ends(one.error),
        "more_than_eeg": one.more.estimate,
        "more_interval": _ends(one.more),
        "more_at_least": one.least,
        "p": None if one.test is None else one.test.p,
    }
