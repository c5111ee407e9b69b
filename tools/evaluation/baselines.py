"""How far one gets without any EEG: nothing, one phrase for all, a phrase of the right length.

They are fixed on training text where some is known. They are also fixed on one half of the distinct
references and scored on the other, in turn, which can only make them better than they would be. Of
selections the constant is the commonest of the references themselves: symbols are all known.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.edits import cross_edits, sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.evaluation.edits import Unit

    _Maker = Callable[[Sequence[str], Unit, Sequence[str]], Callable[[str], str]]

N_CANDIDATES = 1000
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Beginnings of a text that are tried, as shares of the mean length: short is often cheaper."""


def best_constant(texts: Sequence[str], unit: Unit, *, more: Sequence[str] = ()) -> str:
    """Return what one would best always say to make few errors on texts like ``texts``.

    Candidates are the empty text, the texts themselves, what they begin with, and ``more`` with
    what they begin with; at most :data:`N_CANDIDATES` of each are looked at.
    """
    chosen = _thinned(texts)
    if not chosen:
        return ""
    if unit == "selections":
        return Counter(texts).most_common(1)[0][0]
    mean = float(np.mean(sizes(chosen, unit)))
    sources = [*chosen, *_thinned(more)]
    starts = {_start(text, round(mean * share), unit) for text in sources for share in SHARES}
    candidates = sorted({"", *sources, *starts})
    costs = cross_edits(candidates, chosen, unit).sum(axis=1)
    return candidates[int(costs.argmin())]


def baseline_texts(
    references: Sequence[str],
    unit: Unit,
    *,
    training: Sequence[str] = (),
    hypotheses: Sequence[str] = (),
) -> dict[str, list[str]]:
    """Return what each baseline says, a text a reference, by the baseline's name.

    ``nearest length`` knows how long the reference is, as the length of the recording gives it
    away, and says the training text that comes closest; of equals the one that errs least. Those
    called ``own`` are of the references, beside those of ``training``.
    """
    found = {"empty": [""] * len(references)}
    if unit == "selections":
        found["constant"] = [best_constant(training or references, unit)] * len(references)
        return found
    if training:
        for name, make in _MAKERS.items():
            speak = make(training, unit, ())
            found[name] = [speak(text) for text in references]
    # Texts trained on may be few, or of another kind: noise then beats them, and proves nothing.
    own = "own " if training else ""
    halves = _halves(references)
    for name, make in _MAKERS.items():
        said: dict[str, str] = {}
        for half in halves:
            speak = make([text for text in references if text not in half], unit, hypotheses)
            said |= {text: speak(text) for text in half}
        found[own + name] = [said[text] for text in references]
    return found


def _halves(references: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the distinct references as two sets, alike in length."""
    ordered = sorted(set(references), key=lambda text: (len(text), text))
    return set(ordered[::2]), set(ordered[1::2])


def _constant(texts: Sequence[str], unit: Unit, more: Sequence[str]) -> Callable[[str], str]:
    phrase = best_constant(texts, unit, more=more)
    return lambda _reference: phrase


def _nearest(texts: Sequence[str], unit: Unit, _more: Sequence[str] = ()) -> Callable[[str], str]:
    known = sorted(set(_thinned(texts)))
    if not known:
        return lambda _reference: ""
    length = sizes(known, unit)
    cost = cross_edits(known, known, unit).sum(axis=1) / len(known)

    def speak(reference: str) -> str:
        away = np.abs(length - sizes([reference], unit)[0])
        return known[int(np.lexsort((cost, away))[0])]

    return speak


_MAKERS: dict[str, _Maker] = {
    "constant": _constant,
    "nearest length": _nearest,
}


def _thinned(texts: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(texts))
    return distinct[:: max(1, -(-len(distinct) // N_CANDIDATES))]


def _start(text: str, n_units: int, unit: Unit) -> str:
    return " ".join(text.split()[:n_units]) if unit == "words" else text[:n_units]
