"""What speaks for and against chance: permutation, identification, other ways of decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.report.parts import (
    Cell,
    Line,
    Note,
    Part,
    Section,
    Strip,
    Strips,
    Table,
    number,
)
from tools.evaluation.rule import Z_ALPHA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.report.data import Exchange, Folder


DECODINGS = {"greedy": "greedy", "without_lm": "language model off"}


def permutation(folder: Folder) -> Section | None:
    """Return what exchanging the hypotheses says."""
    tests = {
        name: test
        for name, test in folder.evaluation.controls.permutation.items()
        if test is not None
    }
    if not tests:
        return None
    named = [(name.replace("_", " "), test) for name, test in tests.items()]
    strips = [Strip(name, test.z, kind="eeg") for name, test in named if test.z is not None]
    parts: list[Part] = [_how_often(named)]
    if strips:
        parts.append(
            Strips(
                caption="How far the errors lie below those of the exchanges",
                axis="standard deviations",
                first="test",
                groups=(("", strips),),
                lines=(
                    Line(0.0, "mean of the exchanges"),
                    Line(Z_ALPHA, "about what p < 0.01 takes"),
                ),
                digits=1,
            )
        )
    n_permutations = max(test.n_permutations for _, test in named)
    among = "among references of like length"
    if folder.unit == "selections":
        among = "among the trials of one session"
    return Section(
        "Is it more than chance agreement?",
        f"What was written was dealt out anew {n_permutations} times {among}: a system that reads"
        " stands far to the right, one that writes fluent text whatever it is given stands at 0.",
        parts,
    )


def _how_often(named: Sequence[tuple[str, Exchange]]) -> Table:
    has_texts = any(test.by_texts is not None for _, test in named)
    columns = ("by rows", "by texts") if has_texts else ()
    rows = []
    for name, test in named:
        p = Cell("too little to exchange") if test.p is None else number(test.p, ".2g")
        both = (number(test.by_rows, ".2g"), number(test.by_texts, ".2g")) if has_texts else ()
        rows.append((Cell(name), p, *both, number(test.plain, ".2g")))
    return Table(
        "How often what was dealt out fits as well",
        ("test", "p, which decides", *columns, "anything to anywhere, which never decides"),
        rows,
    )


def identification(folder: Folder) -> Section | None:
    """Return how often a hypothesis is nearest to its own reference."""
    found = folder.evaluation.controls.identification
    if not found:
        return None
    return Section(
        "Which of several was it?",
        "Each hypothesis is compared with its own reference and others of like length; the dot is"
        " the share that is nearest to its own, the short line what guessing gives.",
        [
            Strips(
                caption="Share of hypotheses nearest to their own reference",
                axis="share",
                first="among",
                groups=(
                    (
                        "",
                        [
                            Strip(
                                f"one of {one.ways}",
                                one.estimate,
                                one.interval,
                                kind="eeg",
                                cells=(f"{one.chance:.1%}",),
                                chance=one.chance,
                            )
                            for one in found
                        ],
                    ),
                ),
                columns=("chance",),
                is_share=True,
            )
        ],
    )


def decodings(folder: Folder) -> Section | None:
    """Return the same EEG decoded otherwise, where that is known."""
    found = folder.evaluation
    strips = [Strip("as written", found.primary.estimate, found.interval.primary, kind="eeg")]
    for key, name in DECODINGS.items():
        told = found.decodings.get(key)
        if told is not None:
            strips.append(Strip(name, told.estimate, told.interval))
    parts: list[Part] = []
    forced = found.teacher_forced
    if forced is not None:
        strips.append(
            Strip("teacher-forced (no user can)", forced.estimate, forced.interval, kind="noise")
        )
        parts.append(
            Note("Teacher forcing shows the model each true word before it writes the next one.")
        )
    if len(strips) == 1:
        return None
    name = ERROR_NAMES[folder.unit]
    return Section(
        "Other ways of decoding",
        "The same EEG decoded otherwise: what greedy search loses, and what remains when the"
        " language model, which knows nothing of the EEG, is off.",
        [Strips(f"{name} by way of decoding", name, (("", strips),), first="decoding"), *parts],
    )
