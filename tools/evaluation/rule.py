"""The verdict: ``reads EEG``, ``not shown`` or ``fooled``.

One error per system is judged, declared before: words for word systems, characters for character
systems, 1 - accuracy for selections, where an abstention is wrong. ``reads EEG`` needs all of

a. the permutation test passes, with the language model on and off;
b. each noise input errs more than EEG, by more than :data:`DELTA`;
c. the best baseline that sees only text errs more than EEG, by more than :data:`DELTA`;
d. decoded freely, of texts and recordings that training did not see, enough of them.

"More than" means that the one-sided lower bound at :data:`ALPHA` of the two-way bootstrap lies
above. All must hold, so nothing is corrected for. ``fooled`` needs evidence of its own; whatever is
neither is ``not shown``, with what failed and how large a sample would decide it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.permutation import holm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.evaluation.edits import Unit
    from tools.evaluation.permutation import PermutationTest
    from tools.evaluation.resampling import Interval

DELTA = 0.02
ALPHA = 0.01
Z_ALPHA, Z_POWER = 2.326, 0.842
"""Normal quantiles of :data:`ALPHA` and of the power, 80 %, at which a sample is said to decide."""
LEAST_TEXTS, LEAST_TRIALS = 30, 30
FORCED_GAIN = 0.10
"""By how much teacher forcing must flatter to be a claim that fools."""

VerdictName = Literal["reads EEG", "not shown", "fooled"]
Letter = Literal["a", "b", "c", "d"]


@dataclass(frozen=True, slots=True)
class Against:
    """Another input or a baseline against EEG.

    ``more``: how much more it errs, with its 95 % interval; ``within``: the same at 90 %;
    ``least``: the lower bound at :data:`ALPHA`; ``over_baseline``: the lower bound of how much less
    it errs than the best baseline, for inputs. ``test``: of its own hypotheses.
    """

    name: str
    error: Interval
    more: Interval
    within: Interval
    least: float
    over_baseline: float | None = None
    test: PermutationTest | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the rule looks at.

    ``n_units`` counts what is drawn: distinct texts, or trials of a selection. What was not looked
    into, as it cannot be seen in outputs, is in ``on_trust``.
    """

    unit: Unit
    n_units: int
    error: Interval
    with_lm: PermutationTest
    without_lm: PermutationTest | None
    controls: Mapping[str, Against]
    baselines: Mapping[str, Against]
    teacher_forced: Interval | None = None
    claims_teacher_forced: bool = False
    n_shared_texts: int = 0
    n_shared_recordings: int = 0
    reads_seen_only: bool = False
    on_trust: tuple[str, ...] = ()

    @property
    def best_baseline(self) -> Against:
        """The baseline that errs least."""
        return min(self.baselines.values(), key=lambda one: one.error.estimate)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict, its reasons as sentences, and which conditions hold."""

    verdict: VerdictName
    reasons: tuple[str, ...]
    holds: Mapping[Letter, bool] = field(default_factory=dict)


def judge(evidence: Evidence) -> Verdict:
    """Return the verdict on ``evidence``."""
    failed: dict[Letter, list[str]] = {
        "a": _permuted(evidence),
        "b": _over_controls(evidence),
        "c": _over_text(evidence),
        "d": _honest(evidence),
    }
    holds = {letter: not reasons for letter, reasons in failed.items()}
    fooled = _fooled(evidence, is_over_controls=holds["b"], is_over_text=holds["c"])
    trust = tuple(f"taken on trust: {what}" for what in evidence.on_trust)
    if fooled:
        return Verdict("fooled", (*fooled, *trust), holds)
    if all(holds.values()):
        return Verdict("reads EEG", (_why(evidence), *trust), holds)
    reasons = [f"({letter}) {why}" for letter, found in failed.items() for why in found]
    return Verdict("not shown", (*reasons, *trust), holds)


def _permuted(evidence: Evidence) -> list[str]:
    found = []
    for name, test in (("on", evidence.with_lm), ("off", evidence.without_lm)):
        if test is None:
            continue
        if test.p is None:
            found.append(
                "there is too little to exchange: fewer than 8 distinct texts of one person and"
                " session, or one text makes up more than half of them"
            )
        elif test.p >= ALPHA:
            more = _sample(evidence, have=test.z or 0.0, need=Z_ALPHA + Z_POWER)
            found.append(
                f"language model {name}: exchanged among references of like length the hypotheses"
                f" do as well in p = {test.p:.3g} of cases, wanted < {ALPHA:g}; {more}"
            )
    return found


def _over_controls(evidence: Evidence) -> list[str]:
    if not evidence.controls:
        return ["no outputs for noise in place of EEG are given: without them reading is not shown"]
    return [
        f"with {control.name} in place of EEG it errs {_by(control)}; {_decides(evidence, control)}"
        for control in evidence.controls.values()
        if not control.least > DELTA
    ]


def _over_text(evidence: Evidence) -> list[str]:
    best = evidence.best_baseline
    if best.least > DELTA:
        return []
    return [f"the text-only baseline {best.name!r} errs {_by(best)}; {_decides(evidence, best)}"]


def _honest(evidence: Evidence) -> list[str]:
    found = []
    what, least = "distinct references", LEAST_TEXTS
    if evidence.unit == "selections":
        what, least = "trials", LEAST_TRIALS
    if evidence.n_units < least:
        found.append(f"{evidence.n_units} {what}, wanted {least} or more")
    if evidence.claims_teacher_forced:
        found.append("the claim is of teacher-forced output, wanted free-running output")
    if evidence.n_shared_recordings:
        n_shared = evidence.n_shared_recordings
        found.append(f"{n_shared} recordings were trained on, wanted recordings of their own")
    if evidence.n_shared_texts:
        found.append(f"{evidence.n_shared_texts} texts were trained on, wanted texts of their own")
    return found


def _fooled(evidence: Evidence, *, is_over_controls: bool, is_over_text: bool) -> list[str]:
    """Return the positive evidence, if any."""
    found = []
    tested = [c for c in evidence.controls.values() if c.test is not None and c.test.p is not None]
    adjusted = holm([c.test.p for c in tested if c.test is not None and c.test.p is not None])
    for control, p in zip(tested, adjusted, strict=True):
        if p < ALPHA:
            found.append(f"{control.name} passes the permutation test too (p = {p:.2g})")
    for control in evidence.controls.values():
        if control.over_baseline is not None and control.over_baseline > DELTA:
            found.append(f"{control.name} alone beats every text-only baseline")
        if is_over_text and control.within.low > -DELTA and control.within.high < DELTA:
            found.append(
                f"{control.name} in place of EEG errs the same within {DELTA:g}, and yet less than"
                " any text-only baseline"
            )
    if evidence.reads_seen_only:
        found.append("it passes only on texts that training saw")
    forced = evidence.teacher_forced
    if evidence.claims_teacher_forced and forced is not None and not is_over_controls:
        gain = evidence.error.estimate - forced.estimate
        if gain > FORCED_GAIN:
            found.append(
                f"teacher forcing makes the claimed error {gain:.3f} lower than free running gives"
            )
    return found


def _why(evidence: Evidence) -> str:
    least = min(control.least for control in evidence.controls.values())
    best, name = evidence.best_baseline, ERROR_NAMES[evidence.unit]
    p = max(t.p or 0.0 for t in (evidence.with_lm, evidence.without_lm) if t is not None)
    return (
        f"{name} {evidence.error.estimate:.3f}: every noise input errs more, by at least"
        f" {least:.3f}, and the best text-only baseline ({best.name!r},"
        f" {best.error.estimate:.3f}) by at least {best.least:.3f} (wanted {DELTA:g});"
        f" p = {p:.2g} (wanted < {ALPHA:g})"
    )


def _by(other: Against) -> str:
    more = other.more
    return (
        f"{more.estimate:+.3f} [{more.low:+.3f}, {more.high:+.3f}] against EEG, at least"
        f" {other.least:+.3f}, wanted more than {DELTA:+g}"
    )


def _decides(evidence: Evidence, other: Against) -> str:
    gain = other.more.estimate - DELTA
    spread = max(other.more.estimate - other.least, 1e-9) / Z_ALPHA
    return _sample(evidence, have=gain / spread, need=Z_ALPHA + Z_POWER)


def _sample(evidence: Evidence, *, have: float, need: float) -> str:
    """Say how large a sample of this kind would decide, by how an effect grows with it."""
    kind = "trials" if evidence.unit == "selections" else "distinct texts"
    if have <= 0.0:
        return "were this all there is, no sample would show it"
    n_units = math.ceil(evidence.n_units * max(1.0, (need / have) ** 2))
    if n_units > 1_000_000:
        return "were this all there is, no sample would show it"
    return f"about {n_units} {kind} would decide it"
