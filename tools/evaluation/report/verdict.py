"""The first screen of a report: the verdict with its reasons, the error beside its controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.report.parts import (
    Cell,
    Facts,
    Line,
    Note,
    Part,
    Section,
    Strip,
    Strips,
    Table,
    number,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.evaluation.report.data import Evaluation, Exchange, Folder, Other
    from tools.evaluation.report.parts import Kind
    from tools.evaluation.rule import VerdictName

PLAIN: dict[VerdictName, str] = {
    "reads EEG": "What is written depends on the EEG: with noise in its place, or with text alone,"
    " clearly more is wrong.",
    "not shown": "It is not shown that what is written depends on the EEG. That does not prove the"
    " contrary; below is what failed, and how large a sample would decide it.",
    "fooled": "What looks like reading is none: it is had without EEG, or on what training saw.",
}
ERROR_WORDS = {
    "words": "word error rate (WER): wrong, missing and added words per word meant",
    "characters": "character error rate (CER): wrong, missing and added characters per character"
    " meant",
    "selections": "1 - accuracy: the share of selections that are wrong or withheld",
}

READING = (
    "A system that reads stands clear to the left of everything below it: a mark is an error, its"
    " bar the 95 % interval; squares had noise in place of EEG, diamonds had no input at all."
)
YES, NO = Cell("yes", look="yes"), Cell("no", look="no")
SCORED = ("score", "value", "95 % interval")


@dataclass(frozen=True, slots=True)
class Announced:
    """A verdict as the page shows it."""

    of: str
    verdict: VerdictName
    plain: str
    reasons: tuple[str, ...]


def announced(found: Evaluation, *, of: str) -> Announced:
    """Return the verdict in plain words."""
    return Announced(of, found.verdict, PLAIN[found.verdict], found.reasons)


def chance_of(folder: Folder) -> float | None:
    """Return the error of a guess among the symbols that could be chosen; None for texts."""
    found = folder.evaluation
    if found.chance is not None or found.primary.error != "selections":
        return found.chance
    n_symbols = len({symbol for row in folder.rows for symbol in row.posteriors or ()})
    return 1.0 - 1.0 / n_symbols if n_symbols else None


def first_screen(folder: Folder) -> list[Part]:
    """Return what stands under the verdict."""
    found = folder.evaluation
    return [beside_controls(folder), Note(READING), conditions(found), Facts(_counted(found))]


def beside_controls(folder: Folder) -> Strips:
    """Return the primary error beside the same without EEG."""
    found = folder.evaluation
    name = ERROR_NAMES[folder.unit]
    eeg = Strip(
        "EEG, teacher-forced" if found.claim == "teacher-forced" else "EEG",
        found.primary.estimate,
        found.interval.primary,
        kind="eeg",
        cells=("", "", _p(found.controls.permutation.get("language_model_on"))),
    )
    chance = chance_of(folder)
    lines = [] if chance is None else [Line(chance, "chance, a guess among all symbols")]
    best = min(found.controls.baselines.values(), key=lambda one: one.error, default=None)
    if best is not None:
        lines.append(Line(best.error, "best without EEG, from text alone"))
    return Strips(
        caption=f"Error with EEG and without it ({ERROR_WORDS[folder.unit]})",
        axis=name,
        first="input",
        columns=("more than with EEG", "at least", "p"),
        groups=(
            ("EEG", (eeg,)),
            ("Noise in place of EEG", _others(found.controls.inputs, "noise")),
            ("Text alone, no input at all", _others(found.controls.baselines, "text")),
        ),
        lines=tuple(lines),
    )


def _others(several: Mapping[str, Other], kind: Kind) -> list[Strip]:
    return [
        Strip(
            name,
            one.error,
            one.interval,
            kind=kind,
            cells=(
                more_told(one.more_than_eeg, one.more_interval),
                f"{one.more_at_least:+.3f}",
                "" if one.p is None else f"{one.p:.2g}",
            ),
        )
        for name, one in several.items()
    ]


def more_told(estimate: float, interval: tuple[float, float]) -> str:
    """Return a difference with its interval as text."""
    return f"{estimate:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def _p(test: Exchange | None) -> str:
    return "" if test is None or test.p is None else f"{test.p:.2g}"


def conditions(found: Evaluation) -> Table:
    """Return what the verdict asks and whether it is so."""
    rule = found.rule
    asked = {
        "a": "What is written fits its own reference better than others of like length"
        f" (permutation test, p < {rule.alpha:g}, language model on and off)",
        "b": f"Every noise input is worse than EEG by more than {rule.delta:g}",
        "c": f"The best that text alone can do is worse than EEG by more than {rule.delta:g}",
        "d": "Written freely, from texts and recordings that training did not see, enough of them",
    }
    rows = [
        (Cell(f"({letter}) {what}"), YES if rule.holds[letter] else NO)
        for letter, what in asked.items()
        if letter in rule.holds
    ]
    return Table(
        caption="“Reads EEG” needs all of these; “more than” is a one-sided bound at"
        f" {100 * (1 - rule.alpha):g} %",
        columns=("condition", "holds"),
        rows=rows,
        look="conditions",
    )


def _counted(found: Evaluation) -> list[tuple[str, str]]:
    what = "selections" if found.primary.error == "selections" else "rows"
    judged = f"{found.rows} {what}, {found.distinct_references} distinct references"
    if found.rows_left_out:
        judged += f"; {found.rows_left_out} without a reference left out"
    how = "as they are"
    if found.normalise == "basic":
        how = "lower case, ASCII punctuation deleted (basic)"
    items = [("judged", judged), ("claim", f"{found.claim} output; texts compared {how}")]
    if found.abstained:
        items.append(("withheld", f"{found.abstained} selections, counted as wrong"))
    if n := found.characters_outside_texts:
        items.append(("outside all texts", f"{n} characters, added to the nearest text"))
    if n := found.characters_left_out:
        items.append(("left out", f"{n} characters where nobody can tell what was meant"))
    return items


def scores(folder: Folder) -> Section:
    """Return the usual scores, and what was written most often."""
    found = folder.evaluation
    is_selection = folder.unit == "selections"
    parts: list[Part] = [_selected(folder) if is_selection else _rates(found)]
    if found.most_frequent is not None and found.distinct_hypotheses:
        most = found.most_frequent
        parts.append(
            Table(
                f"{found.distinct_hypotheses} distinct hypotheses in {found.rows} rows",
                ("written most often", "rows"),
                [(text(most.hypothesis or "∅ (nothing)"), number(most.rows, "d"))],
            )
        )
    reading = "Rates count edits over the size of all references and may exceed 1"
    if is_selection:
        reading = "A selection is right if its symbol is the one that was meant"
    return Section(
        "Scores",
        f"{reading}; a system that writes the same few things whatever it is given is not reading.",
        parts,
    )


def _selected(folder: Folder) -> Table:
    found = folder.evaluation
    ends, chance = found.interval.primary, chance_of(folder)
    interval = "" if ends is None else f"[{1 - ends[1]:.1%}, {1 - ends[0]:.1%}]"
    rows = [
        _score("right", 1 - found.primary.estimate, ".1%", interval),
        _score("withheld", found.empty, ".1%"),
    ]
    if chance is not None:
        rows.append(_score("right by chance", 1 - chance, ".1%"))
    return Table("Scores over all selections", SCORED, rows)


def _rates(found: Evaluation) -> Table:
    rows = []
    for name, value, ends in (
        ("WER", found.wer, found.interval.wer),
        ("CER", found.cer, found.interval.cer),
    ):
        if value is not None:
            interval = "" if ends is None else f"[{ends[0]:.3f}, {ends[1]:.3f}]"
            rows.append(_score(name, value, ".3f", interval))
    for name, value, digits in (("exact match", found.exact, ".1%"), ("BLEU", found.bleu, ".2f")):
        if value is not None:
            rows.append(_score(name, value, digits))
    rows.append(_score("nothing written", found.empty, ".1%"))
    return Table("Scores over all rows", SCORED, rows)


def _score(name: str, value: float, digits: str, interval: str = "") -> tuple[Cell, ...]:
    return (Cell(name), number(value, digits), Cell(interval, is_number=True))
