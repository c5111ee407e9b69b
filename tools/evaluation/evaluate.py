"""A bundle and recordings to rows, a judgement, and everything that is told of them.

What is judged is declared before anything is decoded: the primary error follows from the bundle's
head and vocabulary, the controls and the rule from the command line and this program.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import RecordingError
from tools.evaluation import rates
from tools.evaluation.edits import sizes
from tools.evaluation.figures.figures import trained_counts
from tools.evaluation.judgement import Claim, Judge
from tools.evaluation.likely_text import likely_texts
from tools.evaluation.pairs import normalise
from tools.evaluation.passes import speed
from tools.evaluation.passes.control_inputs import ANOTHER, control_inputs
from tools.evaluation.passes.decodings import uses_lm
from tools.evaluation.passes.overlap import find_overlap
from tools.evaluation.passes.passes import make_passes, n_samples
from tools.evaluation.summary import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from runtime.engine import Engine
    from tools.evaluation.edits import Unit
    from tools.evaluation.judgement import Judgement
    from tools.evaluation.pairs import Normalisation, Pair
    from tools.evaluation.passes.batching import Batching
    from tools.evaluation.passes.control_inputs import Level
    from tools.evaluation.passes.decodings import Decodings
    from tools.evaluation.passes.overlap import Overlap
    from tools.evaluation.passes.passes import Passes
    from tools.evaluation.passes.shelf import Shelf
    from tools.evaluation.rows import Row

    Progress = Callable[..., AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for.

    ``how`` texts are compared; symbols are compared as they are. ``train_text``: what somebody says
    was trained on. ``strangers``: bundles trained on noise, by the control's name.
    """

    controls: Level = "quick"
    how: Normalisation = "basic"
    trials: frozenset[int] | None = None
    seed: int = 0
    train_text: Sequence[str] | None = None
    strangers: Mapping[str, Engine] = field(default_factory=dict)
    batching: Batching | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All rows as they were decoded, the judgement on them, and the summary as JSON.

    ``trained`` counts what was trained on in the unit that is judged; None where nobody knows.
    """

    rows: list[Row]
    judgement: Judgement
    summary: dict[str, Any]
    trained: Mapping[str, int] | None = None


def evaluate(shelf: Shelf, decodings: Decodings, plan: Plan, *, progress: Progress) -> Evaluated:
    """Decode, judge and sum up.

    Args:
        shelf: the recordings.
        decodings: of the bundle.
        plan: what is asked for.
        progress: as :func:`tools.console.progress.progress`.

    Raises:
        RecordingError: no reference holds anything to compare.
    """
    inputs = control_inputs(plan.controls, shelf, seed=plan.seed)
    total = n_samples(shelf, decodings, inputs=inputs, n_strangers=len(plan.strangers))
    with progress("decoding", total=total) as bar:
        passes = make_passes(
            shelf,
            decodings,
            inputs=inputs,
            strangers=plan.strangers,
            batching=plan.batching,
            trials=plan.trials,
            on_progress=bar,
        )
    engine = decodings.bundle
    overlap = find_overlap(engine.bundle.manifest.provenance, shelf.reels, given=plan.train_text)
    how: Normalisation = "none" if decodings.unit == "selections" else plan.how
    compared = compared_rows(passes.rows, how)
    if not compared:
        raise RecordingError(
            f"{shelf.reels[0].path}: no text in it holds a word once it is normalised"
        )
    with progress("judging"):
        found = judged(
            compared,
            overlap,
            unit=decodings.unit,
            uses_lm=uses_lm(engine),
            how=how,
            seed=plan.seed,
            likely=_likely(compared, decodings, how),
        )
    n_dropped = len(passes.rows) - len(compared)
    told = summary(found, how=how, n_dropped=n_dropped)
    told |= _more(compared, passes, decodings, found, plan)
    told["made_of"] = _made_of(shelf, overlap, plan)
    return Evaluated(passes.rows, found, told, trained_counts(overlap, decodings.unit, how=how))


def compared_rows(rows: Sequence[Row], how: Normalisation) -> list[Row]:
    """Return the rows with texts as they are compared, less those without a reference then."""
    found = [
        msgspec.structs.replace(
            row,
            reference=normalise(row.reference, how),
            hypothesis=normalise(row.hypothesis, how),
            greedy=_maybe(row.greedy, how),
            without_lm=_maybe(row.without_lm, how),
            controls={name: normalise(text, how) for name, text in row.controls.items()},
        )
        for row in rows
    ]
    return [row for row in found if row.reference]


def _maybe(text: str | None, how: Normalisation) -> str | None:
    return None if text is None else normalise(text, how)


def judged(
    rows: Sequence[Row],
    overlap: Overlap,
    *,
    unit: Unit,
    uses_lm: bool,
    how: Normalisation,
    seed: int,
    likely: Mapping[int, str] | None = None,
) -> Judgement:
    """Return the judgement on rows as they are compared.

    Where a recording was trained on, the verdict's reasons name it.
    """
    seen = [
        row.recording in overlap.recordings
        or (unit != "selections" and overlap.has_text(row.reference))
        for row in rows
    ]
    training: list[str] | None = None
    if overlap.training is not None and unit != "selections":
        known = {row.reference for row in rows if overlap.has_text(row.reference)}
        texts = (normalise(text, how) for text in overlap.training)
        training = [*(text for text in texts if text), *sorted(known)]
    claim = Claim(
        unit=unit,
        training=training,
        seen=seen,
        n_shared_recordings=len(overlap.recordings),
        uses_lm=uses_lm,
        likely=likely or {},
    )
    pairs = [row.pair() for row in rows]
    controls = _controls(rows, pairs)
    of_others = [name for name in controls if name.startswith(ANOTHER)]
    found = Judge(pairs, claim, seed=seed).judge(controls, eeg_of_others=of_others)
    if not overlap.recordings:
        return found
    names = ", ".join(
        name if name == known else f"{name} (as {known})"
        for name, known in overlap.recordings.items()
    )
    verdict = dataclasses.replace(
        found.verdict, reasons=(*found.verdict.reasons, f"(d) the bundle was made of {names}")
    )
    return dataclasses.replace(found, verdict=verdict)


def _likely(rows: Sequence[Row], decodings: Decodings, how: Normalisation) -> dict[int, str]:
    """Return what the bundle's language model says by itself, for each length of a reference."""
    if decodings.unit == "selections":
        return {}
    lengths = set(sizes([row.reference for row in rows], decodings.unit).tolist())
    found = likely_texts(decodings.bundle, lengths)
    return {n: normalise(found[n], how) for n in lengths if n in found}


def _controls(rows: Sequence[Row], pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    return {
        name: [
            msgspec.structs.replace(pair, hypothesis=row.controls[name])
            for row, pair in zip(rows, pairs, strict=True)
        ]
        for name in rows[0].controls
    }


def _more(
    rows: Sequence[Row], passes: Passes, decodings: Decodings, found: Judgement, plan: Plan
) -> dict[str, Any]:
    """Return what the summary of outputs cannot know."""
    unit, engine = decodings.unit, decodings.bundle
    told: dict[str, Any] = {
        "title": engine.bundle.manifest.name,
        "head": type(engine.spec.decoder).__struct_config__.tag,
        "controls_level": plan.controls,
        "seed": plan.seed,
        "recordings": rates.by_recording(rows, unit, seed=plan.seed),
        "decodings": rates.by_decoding(rows, unit, seed=plan.seed),
        "abstained": passes.n_abstained,
        "characters_outside_texts": passes.n_outside,
        "characters_left_out": passes.n_lost,
        **rates.pace(rows, unit),
        "chance": None,
        "symbols": None,
        "itr": None,
        "itr_bits_per_min": None,
        **speed.told(passes.speeds),
    }
    told["throughput"]["batching"] = plan.batching.told if plan.batching else "off"
    if passes.batched:
        told["throughput"]["batched"] = speed.throughput(passes.batched)
    if unit == "selections":
        n_symbols = len(engine.spec.vocabulary)
        itr = rates.transfer_rate(rows, found.error, n_symbols=n_symbols)
        told["chance"] = 1.0 - 1.0 / n_symbols
        told["itr"], told["itr_bits_per_min"] = itr, itr["bits_per_min"]
        told["symbols"] = {
            "correct": sum(row.hypothesis == row.reference for row in rows),
            "abstained": sum(not row.hypothesis for row in rows),
            "total": len(rows),
        }
    return told


def _made_of(shelf: Shelf, overlap: Overlap, plan: Plan) -> dict[str, Any]:
    """Return what it takes to make the evaluation again, and what is wrong with the data."""
    return {
        "recordings": {reel.name: sorted(reel.files) for reel in shelf.reels},
        "trained_on": overlap.recordings,
        "trials": None if plan.trials is None else sorted(plan.trials),
        "controls": plan.controls,
        "seed": plan.seed,
        "faults": [f"{reel.name}: {fault}" for reel in shelf.reels for fault in reel.faults],
    }
