"""Whether hypotheses belong to their own references, or to any of like length.

A model that writes fluent text of the right length is not reading. So hypotheses are exchanged
among references of like length only, in strata of about twenty distinct texts, within one person
and session, and never onto a row of the same text. Two such tests are made, and the larger p
decides:

- *rows*: every row for itself;
- *texts*: all rows of a text move together. Ten rows of one sentence are not ten independent
  facts; the test by rows takes them for that, and is then too sure.

Strata hold whole texts. With twenty rows of two sentences each hypothesis could only go to the
other sentence, and chance would have two outcomes. Selections are exchanged freely within a
session: with few symbols, keeping away from the same symbol would itself be information. The plain
exchange, anything to anywhere, is given beside them and never decides.

p = (1 + k) / (N + 1): ``k`` of ``N`` exchanges gave errors as low as those seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.edits import cross_edits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from tools.evaluation.edits import Unit
    from tools.evaluation.pairs import Pair

N_PERMUTATIONS = 9999
STRATUM_TEXTS = 20
LEAST_TEXTS = 8
"""Fewer texts in a stratum than this are joined to the next: there is too little to exchange."""
N_MENDS = 60
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
    references = [pair.reference for pair in pairs]
    distinct = sorted(set(references))
    number = {text: k for k, text in enumerate(distinct)}
    of = np.array([number[text] for text in references])
    costs = cross_edits(distinct, list(hypotheses), unit)  # (n_texts, n_rows)
    seen = int(costs[of, np.arange(len(of))].sum())
    plain, _ = _p(seen, _free(rng, costs, of, [np.arange(len(of))], n_permutations))
    groups = _groups([(pair.subject, pair.session) for pair in pairs])
    if unit == "selections":
        p, z = _p(seen, _free(rng, costs, of, groups, n_permutations))
        return PermutationTest(p, p, None, plain, z, n_permutations, len(groups))
    length = _lengths(pairs, unit)
    strata = [part for group in groups for part in _strata(group, of, length)]
    movable = [part for part in strata if _can_move(of[part])]
    if sum(map(len, movable)) < 0.9 * len(of):
        return PermutationTest(None, None, None, plain, None, n_permutations, len(movable))
    fixed = seen - sum(int(costs[of[part], part].sum()) for part in movable)
    by_rows = _p(seen, fixed + _by_rows(rng, costs, of, movable, n_permutations))
    by_texts = _p(seen, fixed + _by_texts(rng, costs, of, movable, n_permutations))
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


def _p(seen: int, found: NDArray[np.int64]) -> tuple[float, float]:
    """Return p, and how many standard deviations ``seen`` lies below what was found."""
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
    costs: NDArray[np.int64],
    of: NDArray[np.int64],
    groups: Sequence[NDArray[np.int64]],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return the sum of errors for each free exchange within groups."""
    found = np.zeros(n_permutations, np.int64)
    for group in groups:
        cost = costs[of[group]][:, group]
        for start in range(0, n_permutations, BLOCK):
            n = min(BLOCK, n_permutations - start)
            moved = rng.permuted(np.tile(np.arange(len(group)), (n, 1)), axis=1)
            found[start : start + n] += cost[np.arange(len(group)), moved].sum(axis=1)
    return found


def _by_rows(
    rng: np.random.Generator,
    costs: NDArray[np.int64],
    of: NDArray[np.int64],
    strata: Sequence[NDArray[np.int64]],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return the sum of errors for each exchange of rows that leaves none with its own text."""
    return _kept_apart(rng, strata, n_permutations, lambda p: (of[p], costs[of[p]][:, p]))


def _by_texts(
    rng: np.random.Generator,
    costs: NDArray[np.int64],
    of: NDArray[np.int64],
    strata: Sequence[NDArray[np.int64]],
    n_permutations: int,
) -> NDArray[np.int64]:
    """Return the sum of errors for each exchange of texts, all rows of one moving together.

    A text's rows take, in turn, the hypotheses of the rows of the text that is put in its place.
    """

    def costs_of(part: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        texts = np.unique(of[part])
        rows = [part[of[part] == text] for text in texts]
        table = np.array(
            [
                [costs[text][np.resize(other, len(own))].sum() for other in rows]
                for text, own in zip(texts, rows, strict=True)
            ]
        )
        return texts, table

    return _kept_apart(rng, strata, n_permutations, costs_of)


def _kept_apart(
    rng: np.random.Generator,
    strata: Sequence[NDArray[np.int64]],
    n_permutations: int,
    costs_of: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[np.int64]:
    found = np.zeros(n_permutations, np.int64)
    for part in strata:
        texts, cost = costs_of(part)
        places = np.arange(len(texts))
        for start in range(0, n_permutations, BLOCK):
            n = min(BLOCK, n_permutations - start)
            moved = _derangements(rng, texts, n)
            found[start : start + n] += cost[places, moved].sum(axis=1)
    return found


def _derangements(rng: np.random.Generator, texts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return ``n`` permutations (n, n_rows), none of which gives a row one of its own text.

    Random permutations are mended: each place in turn is exchanged with a random one wherever that
    leaves fewer rows with their own text, or as many, until none is left.
    """
    n_rows = len(texts)
    moved = rng.permuted(np.tile(np.arange(n_rows), (n, 1)), axis=1)
    left = np.arange(n)
    for _ in range(N_MENDS):
        for place in rng.permutation(n_rows):
            partner = rng.integers(0, n_rows, len(left))
            here, there = moved[left, place], moved[left, partner]
            before = (texts[here] == texts[place]).astype(int) + (texts[there] == texts[partner])
            after = (texts[there] == texts[place]).astype(int) + (texts[here] == texts[partner])
            swap = left[(after <= before) & (partner != place)]
            chosen = partner[(after <= before) & (partner != place)]
            moved[swap, place], moved[swap, chosen] = moved[swap, chosen], moved[swap, place]
        left = left[(texts[moved[left]] == texts).any(axis=1)]
        if not len(left):
            return moved
    raise RuntimeError("no exchange was found that keeps every row from its own text")
