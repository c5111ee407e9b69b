"""Outputs to a judgement: scores, intervals, controls, baselines and the verdict on them.

The same for anyone's outputs and for ours: all that is known here is text.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.evaluation.baselines import baseline_texts
from tools.evaluation.edits import edits, sizes
from tools.evaluation.identification import Identification, identify
from tools.evaluation.permutation import N_PERMUTATIONS, permutation_test
from tools.evaluation.resampling import N_DRAWS, Resampling, Table
from tools.evaluation.rule import ALPHA, LEAST_TEXTS, Against, Evidence, Verdict, judge
from tools.evaluation.scores import TextScores, text_scores

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tools.evaluation.edits import Unit
    from tools.evaluation.pairs import Pair
    from tools.evaluation.permutation import PermutationTest
    from tools.evaluation.resampling import Interval


@dataclass(frozen=True, slots=True)
class Claim:
    """What is declared of the outputs, before they are judged.

    ``training``: the texts trained on, None where nobody says. ``seen``: of each pair, whether its
    text or its recording was trained on; None where that cannot be known. ``likely``: what the
    language model says by itself, by the number of units.
    """

    unit: Unit
    teacher_forced: bool = False
    training: Sequence[str] | None = None
    seen: Sequence[bool] | None = None
    n_shared_recordings: int = 0
    uses_lm: bool = True
    likely: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """All figures and the verdict; ``said`` is what each baseline says, a text a pair."""

    claim: Claim
    scores: TextScores
    error: Interval
    word_error: Interval | None
    character_error: Interval | None
    evidence: Evidence
    verdict: Verdict
    identification: tuple[Identification, ...]
    said: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Judge:
    """Judges outputs for the same references, all within the same draws.

    Args:
        pairs: what is judged, normalised, references not empty.
        claim: what is declared of them.
        n_draws: of the bootstrap.
        n_permutations: of each permutation test.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        claim: Claim,
        *,
        n_draws: int = N_DRAWS,
        n_permutations: int = N_PERMUTATIONS,
        seed: int = 0,
    ) -> None:
        self._pairs, self._claim = pairs, claim
        self._n_permutations, self._seed = n_permutations, seed
        self._references = [pair.reference for pair in pairs]
        # A selection's symbols are all there are, no sample of more: what is drawn is the trial.
        is_selection = claim.unit == "selections"
        drawn = range(len(pairs)) if is_selection else self._references
        people = [pair.subject for pair in pairs]
        self._resampling = Resampling(list(drawn), people, n_draws=n_draws, seed=seed)
        self._sizes = sizes(self._references, claim.unit)

    def judge(
        self, controls: Mapping[str, Sequence[Pair]], *, eeg_of_others: Collection[str] = ()
    ) -> Judgement:
        """Return the judgement, given what other inputs gave for the same pairs, by name.

        ``eeg_of_others`` names those that are EEG of another text. A system that reads writes that
        text, which is a better guess than any baseline's: that speaks for it, not against it.
        """
        claim, references = self._claim, self._references
        hypotheses = self._claimed(self._pairs)
        own = self._table(hypotheses)
        said = baseline_texts(
            references,
            claim.unit,
            training=[text for text in claim.training or () if text],
            hypotheses=hypotheses,
        )
        if claim.likely:
            lengths = sizes(references, claim.unit).tolist()
            said["language model alone"] = [claim.likely[n] for n in lengths]
        baselines = {name: self._against(name, own, texts) for name, texts in said.items()}
        best = min(baselines.values(), key=lambda one: one.error.estimate)
        floor = self._table(said[best.name])
        heard = {
            name: self._against(name, own, self._claimed(given), floor=floor)
            for name, given in controls.items()
        }
        for name in eeg_of_others:
            heard[name] = dataclasses.replace(heard[name], over_baseline=None)
        forced = [pair.teacher_forced for pair in self._pairs]
        all_forced = [text for text in forced if text is not None]
        has_forced = len(all_forced) == len(forced)
        without = [pair.without_lm for pair in self._pairs]
        all_without = [text for text in without if text is not None]
        evidence = Evidence(
            unit=claim.unit,
            n_units=self._resampling.n_texts,
            error=self._resampling.interval(self._table([p.hypothesis for p in self._pairs])),
            with_lm=self._test(hypotheses),
            without_lm=self._test(all_without) if len(all_without) == len(without) else None,
            controls=heard,
            baselines=baselines,
            teacher_forced=(
                self._resampling.interval(self._table(all_forced)) if has_forced else None
            ),
            claims_teacher_forced=claim.teacher_forced,
            n_shared_texts=self._n_shared_texts(),
            n_shared_recordings=claim.n_shared_recordings,
            reads_seen_only=self._reads_seen_only(controls),
            on_trust=self._on_trust(has_without=len(all_without) == len(without)),
        )
        return Judgement(
            claim=claim,
            scores=text_scores(references, hypotheses),
            error=self._resampling.interval(own),
            word_error=self._rate(hypotheses, "words"),
            character_error=self._rate(hypotheses, "characters"),
            evidence=evidence,
            verdict=judge(evidence),
            identification=identify(
                references, hypotheses, claim.unit, self._resampling, seed=self._seed
            ),
            said=said,
        )

    def _claimed(self, pairs: Sequence[Pair]) -> list[str]:
        """Return the output that is claimed: what was written freely, if nothing else is said."""
        if not self._claim.teacher_forced:
            return [pair.hypothesis for pair in pairs]
        return [p.hypothesis if p.teacher_forced is None else p.teacher_forced for p in pairs]

    def _table(self, hypotheses: Sequence[str]) -> Table:
        return self._resampling.table(
            edits(self._references, hypotheses, self._claim.unit), self._sizes
        )

    def _rate(self, hypotheses: Sequence[str], unit: Unit) -> Interval | None:
        counted = sizes(self._references, unit)
        if not counted.all():
            return None
        table = self._resampling.table(edits(self._references, hypotheses, unit), counted)
        return self._resampling.interval(table)

    def _test(self, hypotheses: Sequence[str]) -> PermutationTest:
        return permutation_test(
            self._pairs,
            hypotheses,
            self._claim.unit,
            n_permutations=self._n_permutations,
            seed=self._seed,
        )

    def _against(
        self, name: str, own: Table, texts: Sequence[str], *, floor: Table | None = None
    ) -> Against:
        other, drawn = self._table(texts), self._resampling
        over = None if floor is None else drawn.lower_bound(floor, other, alpha=ALPHA)
        return Against(
            name=name,
            error=drawn.interval(other),
            more=drawn.difference(other, own),
            within=drawn.difference(other, own, level=0.90),
            least=drawn.lower_bound(other, own, alpha=ALPHA),
            over_baseline=over,
            test=None if floor is None else self._test(texts),
        )

    def _n_shared_texts(self) -> int:
        """Count the distinct references that training saw; symbols of selections are always so."""
        if self._claim.unit == "selections" or self._claim.training is None:
            return 0
        return len(set(self._references) & set(self._claim.training))

    def _on_trust(self, *, has_without: bool) -> tuple[str, ...]:
        claim, found = self._claim, []
        if claim.uses_lm and not has_without:
            found.append("that it reads with the language model off too")
        if claim.training is None and claim.unit != "selections":
            found.append("that no text was trained on")
        return tuple(found)

    def _reads_seen_only(self, controls: Mapping[str, Sequence[Pair]]) -> bool:
        """Say whether (a) to (c) hold on texts that were trained on and fail on enough others."""
        seen = self._claim.seen
        if seen is None or not controls or all(seen) or not any(seen):
            return False
        reads = {}
        for is_seen in (True, False):
            rows = [k for k, one in enumerate(seen) if one == is_seen]
            part = Judge(
                [self._pairs[k] for k in rows],
                dataclasses.replace(self._claim, seen=None),
                n_draws=len(self._resampling),
                n_permutations=self._n_permutations,
                seed=self._seed,
            )
            found = part.judge({n: [given[k] for k in rows] for n, given in controls.items()})
            reads[is_seen] = all(found.verdict.holds[letter] for letter in ("a", "b", "c"))
            if found.evidence.n_units < LEAST_TEXTS:
                return False
        return reads[True] and not reads[False]
