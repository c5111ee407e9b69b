"""Which examples train and which are held out: nothing of one is in the other, and both are alike.

Examples that share a sentence, a session or a person stay together. Whole groups are dealt to the
parts, the largest first, each to where it brings the counts of every stratum (how long the texts
are) closest to the shares that were asked for.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from tools.training.data.settings import DataSettings, SplitBy

N_LENGTHS = 3
"""Strata of text length."""


class Labelled(Protocol):
    """What is split: whose it is, and its text (empty: rest)."""

    @property
    def text(self) -> str: ...  # noqa: D102 - said above
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def session(self) -> str: ...  # noqa: D102


TRAINING, VALIDATION, HELD_OUT = "training", "validation", "held out"


def split_cuts(
    cuts: Sequence[Labelled], settings: DataSettings, *, validation: float = 0.0
) -> dict[str, tuple[int, ...]]:
    """Return the indices of the cuts of each part; ``validation`` is a share of all of them too.

    What is held out is the same whether there is validation or not.

    Raises:
        RecordingError: there is too little to share.
    """
    by, seed = settings.split_by, settings.split_seed
    kept = 1.0 - settings.held_out
    first = split(cuts, by=by, shares={TRAINING: kept, HELD_OUT: settings.held_out}, seed=seed)
    if not validation:
        return first
    left = first[TRAINING]
    share = min(validation / kept, 0.5)
    shares = {TRAINING: 1.0 - share, VALIDATION: share}
    second = split([cuts[k] for k in left], by=by, shares=shares, seed=seed)
    return {name: tuple(left[k] for k in own) for name, own in second.items()} | {
        HELD_OUT: first[HELD_OUT]
    }


def split(
    items: Sequence[Labelled], *, by: SplitBy, shares: Mapping[str, float], seed: int
) -> dict[str, tuple[int, ...]]:
    """Return for each part the indices of its items, in order; the parts are disjoint.

    Split by sentence, rest has no sentence and goes to the first part. A share of zero is an empty
    part; any other has something in it.

    Args:
        items: what to split.
        by: what parts never share.
        shares: name of each part to its share; they add up to one.
        seed: of the order in which groups are dealt.

    Raises:
        RecordingError: there are fewer sentences, sessions or subjects than parts.
    """
    texts = [k for k, item in enumerate(items) if item.text]
    lengths = np.array([len(items[k].text) for k in texts])
    edges = np.quantile(lengths, np.linspace(0, 1, N_LENGTHS + 1)[1:-1]) if len(texts) else ()
    strata: list[Hashable] = [-1] * len(items)  # -1: rest
    for k, stratum in zip(texts, np.searchsorted(edges, lengths).tolist(), strict=True):
        strata[k] = stratum
    dealt = texts if by == "sentence" else range(len(items))
    groups = [group_of(items[k], by=by) for k in dealt]
    placed = assign(groups, [strata[k] for k in dealt], shares=shares, seed=seed, what=by)
    part_of = dict(zip(dealt, placed, strict=True))
    first = next(iter(shares))
    parts = {
        name: tuple(k for k in range(len(items)) if part_of.get(k, first) == name)
        for name in shares
    }
    check_disjoint({name: [items[k] for k in chosen] for name, chosen in parts.items()}, by=by)
    return parts


def group_of(item: Labelled, *, by: SplitBy) -> str:
    """Return what other items must share to be of one group with ``item``.

    Sentences that differ in case, spaces or punctuation at their ends are one.
    """
    if by == "sentence":
        return " ".join(item.text.casefold().split()).strip(" .,?!;:'\"")
    if by == "session":
        return f"{item.subject} {item.session}"
    return item.subject


def assign(
    groups: Sequence[str],
    strata: Sequence[Hashable],
    *,
    shares: Mapping[str, float],
    seed: int,
    what: str,
) -> list[str]:
    """Return the part of each item; items of one group are in one part.

    Args:
        groups: of each item.
        strata: of each item: its class, or how long it is; every part gets its share of each.
        shares: name of each part to its share.
        seed: of the order in which groups are dealt.
        what: a group is, for the message.

    Raises:
        RecordingError: fewer groups than parts that are to have something.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for k, group in enumerate(groups):
        members[group].append(k)
    names = [name for name, share in shares.items() if share > 0]
    if len(members) < len(names):
        raise RecordingError(
            f"{_count(len(members), what)} in the data, wanted at least {len(names)}, for"
            f" {' and '.join(names)} share none"
        )
    kinds = {stratum: k for k, stratum in enumerate(dict.fromkeys(strata))}
    counts = {}
    for group, own in members.items():
        count = np.bincount([kinds[strata[k]] for k in own], minlength=len(kinds))
        counts[group] = np.append(count, len(own))  # the last: all strata together
    weights = np.append(np.ones(len(kinds)), len(kinds))
    wanted = {name: shares[name] * sum(counts.values()) for name in names}
    have = {name: np.zeros(len(kinds) + 1) for name in names}
    dealt: dict[str, list[str]] = {name: [] for name in names}
    shuffled = np.random.default_rng(seed).permutation(sorted(members)).tolist()
    for group in sorted(shuffled, key=lambda group: -len(members[group])):
        count = counts[group]
        # by how much this changes the sum of (have - wanted)^2 / wanted
        changes = {n: count * (count + 2 * (have[n] - wanted[n])) / wanted[n] for n in names}
        name = min(names, key=lambda n: float(weights @ changes[n]))
        have[name] += count
        dealt[name].append(group)
    _fill_empty(dealt, sizes={group: len(own) for group, own in members.items()})
    part_of = {group: name for name, own in dealt.items() for group in own}
    return [part_of[group] for group in groups]


def _fill_empty(dealt: dict[str, list[str]], *, sizes: Mapping[str, int]) -> None:
    """Give every empty part the smallest group of the part that has most groups."""
    for own in dealt.values():
        if not own:
            richest = max(dealt.values(), key=len)
            given = min(richest, key=lambda group: sizes[group])
            richest.remove(given)
            own.append(given)


def check_disjoint(parts: Mapping[str, Iterable[Labelled]], *, by: SplitBy) -> None:
    """Make sure that no two parts share a sentence, session or subject.

    Raises:
        RecordingError: two do; names them and what they share.
    """
    part_of: dict[str, str] = {}
    for name, items in parts.items():
        for item in items:
            if by == "sentence" and not item.text:
                continue
            earlier = part_of.setdefault(group_of(item, by=by), name)
            if earlier != name:
                shared = {
                    "sentence": item.text,
                    "session": f"{item.subject} {item.session}".strip(),
                }
                raise RecordingError(
                    f"{earlier} and {name} share the {by} {shared.get(by, item.subject)!r},"
                    " wanted none in both"
                )


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}" if number == 1 else f"{number or 'no'} {what}s"
