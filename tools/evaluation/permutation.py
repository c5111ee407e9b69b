"""Whether hypotheses belong to their own references, or to any of like length.

A model that writes fluent text of the right length is not reading. So hypotheses are exchanged
among references of like length only, in strata of about twenty distinct texts, within one person
and session, and never onto a row of the same text. What is summed is the edits less what a
difference in length costs, as measured between texts that do not belong together: to hit the length
counts for nothing. Two such tests are made, and the larger p decides:

- *rows*: every row for itself;
- *texts*: all rows of a text move together, over all people that read the same texts. Ten rows of
  one sentence are not ten independent facts; the test by rows takes them for that, and is then too
  sure.

Strata hold whole texts. With twenty rows of two sentences each hypothesis could only go to the
other sentence, and chance would have two outcomes. Selections are exchanged freely within a
session: with few symbols, keeping away from the same symbol would itself be information. The plain
exchange, of errors from anything to anywhere, is given beside them and never decides.

p = (1 + k) / (N + 1): ``k`` of ``N`` exchanges gave sums as low as the one seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.pairwise import Pairwise, blocks

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from tools.evaluation.edits import Unit
    from tools.evaluation.pairs import Pair

N_PERMUTATIONS = 9999
STRATUM_TEXTS = 20
LEAST_TEXTS = 8
"""Fewer texts in a stratum than this are joined to the next: there is too little to exchange."""
LEAST_SHARE = 0.9
"""Of the rows, how many must be exchanged for the test to speak of all."""
N_MENDS = 60
FINE = 1000
BLOCK = 1000


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """``p`` decides; None where nothing could be exchanged.

    ``by_rows`` and ``by_texts`` are the two tests, ``plain`` the one that never decides. ``z`` says
    by how many standard deviations the errors lie below those of the exchanges, in the test that
    decides.
    """

    p: float | None
    by_rows: float | None
    by_texts: float | None
    plain: float
    z: float | None
    n_permutations: int
    n_strata: int


def permutation_test(
    pairs: Sequence[Pair],
    hypotheses: Sequence[str],
    unit: Unit,
    *,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> PermutationTest:
    """Test ``hypotheses``, one a pair, against the pairs' references.

    Like length is by the recorded duration where every pair has one, else by the reference's units.
    """
    rng = np.random.default_rng(seed)
    given = Pairwise([pair.reference for pair in pairs], hypotheses, unit)
    of, own = given.of, given.own_edits()
    plain = _p(own, _free(rng, given, [np.arange(len(of))], n_permutations))[0]
    groups = _groups([(pair.subject, pair.session) for pair in pairs])
    if unit == "selections":
        p, z = _p(own, _free(rng, given, groups, n_permutations))
        return PermutationTest(p, p, None, plain, z, n_permutations, len(groups))
    length = _lengths(pairs, unit)
    strata = [part for group in groups for part in _strata(group, of, length)]
    movable = [part for part in strata if _can_move(of[part])]
    if sum(map(len, movable)) < LEAST_SHARE * len(of):
        return PermutationTest(None, None, None, plain, None, n_permutations, len(movable))
    costs = _Costs(given, _cost_of_length(given, movable))
    by_rows = _p(costs.own, _by_rows(rng, costs, movable, n_permutations))
    by_texts = _p(costs.own, _by_texts(rng, costs, _shared(groups, of), length, n_permutations))
    p, z = max(by_rows, by_texts)
    return PermutationTest(p, by_rows[0], by_texts[0], plain, z, n_permutations, len(movable))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for being several (Holm 1979)."""
    order = np.argsort(p_values)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


class _Costs:
    """Edits less what a difference in length costs, in whole thousandths: equal sums are equal."""

    def __init__(self, given: Pairwise, of_length: float) -> None:
        self._given, self._of_length = given, of_length
        self.of = given.of
        self.own = self._less(given.own_edits(), given.own_apart())  # (n_rows,)

    def table(self, texts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the costs (n_texts, n_rows) of these texts and these rows' hypotheses."""
        return self._less(self._given.edits(texts, rows), self._given.apart(texts, rows))

    def _less(self, edited: NDArray[np.int64], apart: NDArray[np.int64]) -> NDArray[np.int64]:
        less: NDArray[np.float64] = np.rint(FINE * (edited - self._of_length * apart))
        return less.astype(np.int64)


def _p(own: NDArray[np.int64], found: NDArray[np.int64]) -> tuple[float, float]:
    """Return p of the sum that is seen, and its standard deviations below what was ``found``."""
    seen = int(own.sum())
    p = float((1 + np.count_nonzero(found <= seen)) / (len(found) + 1))
    return p, float((found.mean() - seen) / max(float(found.std()), 1e-9))


def _groups(names: Sequence[Hashable]) -> list[NDArray[np.int64]]:
    rows: dict[Hashable, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return [np.array(found) for found in rows.values()]


def _lengths(pairs: Sequence[Pair], unit: Unit) -> NDArray[np.float64]:
    durations = [pair.duration_s for pair in pairs]
    if all(one is not None for one in durations):
        return np.array(durations, dtype=np.float64)
    parts = [p.reference.split() if unit == "words" else p.reference for p in pairs]
    return np.array([len(part) for part in parts], dtype=np.float64)


def _cost_of_length(given: Pairwise, strata: Sequence[NDArray[np.int64]]) -> float:
    """Return the edits that one unit of difference in length costs, between texts of others.

    Least squares with an effect of each reference and of each hypothesis: an exchange changes
    neither.
    """
    above = below = 0.0
    for part in strata:
        texts = np.unique(given.of[part])
        other = (texts[:, None] != given.of[part][None, :]).astype(float)
        lengths = _centred(given.apart(texts, part), other)
        above += float((_centred(given.edits(texts, part), other) * lengths).sum())
        below += float((lengths * lengths).sum())
    return min(max(above / below, 0.0), 1.0) if below else 0.0


def _centred(values: NDArray[np.int64], chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chosen ``values`` less the means of their rows and columns; 0 elsewhere."""
    left = values.astype(float)
    for _ in range(8):
        left = left - (left * chosen).sum(axis=1, keepdims=True) / chosen.sum(axis=1, keepdims=True)
        left = left - (left * chosen).sum(axis=0, keepdims=True) / chosen.sum(axis=0, keepdims=True)
    return left * chosen


def _strata(
    group: NDArray[np.int64], of: NDArray[np.int64], length: NDArray[np.float64]
) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of one person and session in strata of like length, by whole texts."""
    texts = np.unique(of[group])
    mean = np.array([length[group[of[group] == text]].mean() for text in texts])
    ordered = texts[np.argsort(mean, kind="stable")]
    n_strata = max(1, round(len(ordered) / STRATUM_TEXTS))
    if len(ordered) // n_strata < LEAST_TEXTS:
        n_strata = max(1, len(ordered) // LEAST_TEXTS)
    for chosen in np.array_split(ordered, n_strata):
        yield group[np.isin(of[group], chosen)]


def _can_move(texts: NDArray[np.int64]) -> bool:
    """Say whether each row can be given the hypothesis of another text."""
    counts = np.bincount(texts)
    return int(np.count_nonzero(counts)) >= LEAST_TEXTS and 2 * int(counts.max()) <= len(texts)


def _free(
    rng: np.random.Generator,
    given: Pairwise,
    groups: Sequence[NDArray[np.int64]],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return the sum of errors for each free exchange within groups.

    The table of a group is made some texts at a time, and the same exchanges are drawn for each.
    """
    found = np.zeros(n_permutations, np.int64)
    for group in groups:
        texts, place = np.unique(given.of[group], return_inverse=True)
        drawn = rng.bit_generator.state
        for some in blocks(len(texts), n_columns=len(group)):
            table = given.edits(texts[some], group)  # (n_some, n_group)
            rows = np.flatnonzero((place >= some.start) & (place < some.stop))
            lines = place[rows] - some.start
            rng.bit_generator.state = drawn
            for part in blocks(n_permutations, n_columns=len(group)):
                places = np.tile(np.arange(len(group)), (part.stop - part.start, 1))
                moved = rng.permuted(places, axis=1)[:, rows]
                found[part] += table[lines, moved].sum(axis=1)
    return found


def _by_rows(
    rng: np.random.Generator,
    costs: _Costs,
    strata: Sequence[NDArray[np.int64]],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return the sum for each exchange of rows that leaves none with its own text."""
    found = np.full(n_permutations, costs.own.sum())
    for part in strata:
        texts, place = np.unique(costs.of[part], return_inverse=True)
        found += _moved(rng, costs.of[part], costs.table(texts, part), place, n_permutations)
    return found


def _by_texts(
    rng: np.random.Generator,
    costs: _Costs,
    shared: Sequence[Sequence[NDArray[np.int64]]],
    length: NDArray[np.float64],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return the sum for each exchange of texts, all rows of one moving together."""
    of = costs.of
    found = np.full(n_permutations, costs.own.sum())
    for groups in shared:
        for part in _strata(np.concatenate(groups), of, length):
            texts = np.unique(of[part])
            if len(texts) < LEAST_TEXTS:
                continue
            table = np.zeros((len(texts), len(texts)), np.int64)
            for group in groups:
                rows = group[np.isin(of[group], texts)]
                table += _text_by_text(costs.table(texts, rows), np.searchsorted(texts, of[rows]))
            found += _moved(rng, texts, table, np.arange(len(texts)), n_permutations)
    return found


def _text_by_text(table: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what the rows of each text cost together with those of each other (n_texts, n_texts).

    A text's rows take, in turn, the hypotheses of the same person's rows of the other text: all of
    them as often as they fit, then the first ones.

    Args:
        table: (n_texts, n_rows).
        place: of each row, its text's; each text has a row.
    """
    counts = np.bincount(place, minlength=len(table))
    ordered = table[:, np.argsort(place, kind="stable")]
    sums = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))  # (n_texts, n_rows + 1)
    stops = np.cumsum(counts)
    starts = stops - counts
    whole, rest = np.divmod(counts[:, None], counts[None, :])  # (n_texts, n_texts)
    first = np.take_along_axis(sums, starts + rest, axis=1)
    found: NDArray[np.int64] = whole * (sums[:, stops] - sums[:, starts]) + first - sums[:, starts]
    return found


def _shared(
    groups: Sequence[NDArray[np.int64]], of: NDArray[np.int64]
) -> list[list[NDArray[np.int64]]]:
    """Return lists of rows by person and session, each list of those that share the same texts.

    A text that few others share all people with is exchanged for each person by itself.
    """
    readers: dict[int, tuple[int, ...]] = {}
    for place, group in enumerate(groups):
        for text in np.unique(of[group]):
            readers[int(text)] = (*readers.get(int(text), ()), place)
    alike: dict[tuple[int, ...], list[int]] = {}
    for text, places in readers.items():
        alike.setdefault(places, []).append(text)
    found, alone = [], np.zeros(len(of), dtype=bool)
    for places, texts in alike.items():
        rows = [groups[place][np.isin(of[groups[place]], texts)] for place in places]
        if len(texts) >= LEAST_TEXTS:
            found.append(rows)
        else:
            alone[np.concatenate(rows)] = True
    return found + [[group[alone[group]]] for group in groups if alone[group].any()]


def _moved(
    rng: np.random.Generator,
    texts: NDArray[np.int64],
    cost: NDArray[np.int64],
    place: NDArray[np.int64],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return by how much the sum grows for each exchange, none to its own text.

    Args:
        rng: of the exchanges.
        texts: of what is exchanged, (n,).
        cost: (m, n) of what is at a place with each of what is exchanged.
        place: of each of these, its line in ``cost``.
        n_permutations: how many exchanges.
    """
    found = np.full(n_permutations, -cost[place, np.arange(len(texts))].sum())
    for start in range(0, n_permutations, BLOCK):
        moved = _derangements(rng, texts, min(BLOCK, n_permutations - start))
        found[start : start + len(moved)] += cost[place, moved].sum(axis=1)
    return found


def _derangements(rng: np.random.Generator, texts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return ``n`` permutations (n, n_rows), none of which gives a row one of its own text.

    Random permutations are mended: each place in turn is exchanged with a random one wherever that
    leaves fewer rows with their own text, or as many, until none is left.
    """
    n_rows = len(texts)
    # A line for each place, so that one place of all permutations lies together.
    moved = np.ascontiguousarray(rng.permuted(np.tile(np.arange(n_rows), (n, 1)), axis=1).T)
    left = np.arange(n)
    for _ in range(N_MENDS):
        mended = moved.take(left, axis=1)
        columns = np.arange(len(left))
        for place in rng.permutation(n_rows):
            partner = rng.integers(0, n_rows, len(left))
            at = partner * len(left) + columns
            here, there = mended[place], mended.take(at)
            of_here, of_there, of_partner = texts[here], texts[there], texts[partner]
            before = (of_here == texts[place]).view(np.int8) + (of_there == of_partner)
            after = (of_there == texts[place]).view(np.int8) + (of_here == of_partner)
            better = after <= before
            mended.put(at, np.where(better, here, there))
            mended[place] = np.where(better, there, here)
        moved[:, left] = mended
        left = left[(texts[mended] == texts[:, None]).any(axis=0)]
        if not len(left):
            return moved.T
    raise RuntimeError("no exchange was found that keeps every row from its own text")
