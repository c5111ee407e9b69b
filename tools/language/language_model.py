"""Character n-gram models from text: modified Kneser-Ney, interpolated, pruned, written as ARPA.

Chen and Goodman (1998) for the estimate; Seymore and Rosenfeld (1996) for what to prune: an n-gram
goes when the training text hardly notices. Back-off weights are renewed after pruning, so that what
follows any context sums to one. N-grams are strings of characters, with one control character each
for the start and the end of a phrase; ``tools.language.words`` makes characters of words.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

START, END = "\x02", "\x03"
TOKENS = {START: "<s>", END: "</s>", " ": "<sp>"}

Discounts = tuple[float, float, float]
FALLBACK: Discounts = (0.5, 1.0, 1.5)
"""Where counts of counts do not determine the discounts."""

ALL_SEEN = 1e-9
"""Probability left for unseen tokens below which none are unseen."""


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Probabilities of n-grams and back-off weights of contexts, by length less one."""

    p: tuple[dict[str, float], ...]
    back_off: tuple[dict[str, float], ...]

    @property
    def order(self) -> int:
        """The longest n-gram."""
        return len(self.p)

    def probability(self, context: str, token: str) -> float:
        """Return P(token | context), backing off where the n-gram is not listed."""
        weight = 1.0
        context = context[len(context) - min(len(context), self.order - 1) :]
        while context:
            if (known := self.p[len(context)].get(context + token)) is not None:
                return weight * known
            weight *= self.back_off[len(context) - 1].get(context, 1.0)
            context = context[1:]
        return weight * self.p[0].get(token, 0.0)


def clean_phrases(lines: Iterable[str]) -> Iterator[str]:
    """Give each line that is not empty: lower case, single spaces, no unprintable characters."""
    for line in lines:
        text = unicodedata.normalize("NFC", line).lower()
        phrase = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if phrase:
            yield phrase


def train(
    phrases: Sequence[str],
    *,
    order: int,
    prune: float = 0.0,
    unseen: Collection[str] = (),
    on_order: Callable[[int], None] = lambda _: None,
) -> NgramModel:
    """Estimate a model of ``order``.

    Args:
        phrases: clean, at least one.
        order: the longest n-gram, at least 1.
        prune: drop an n-gram without which the training text loses fewer nats; 0 drops none.
        unseen: tokens that may come too; those the phrases lack share what is left for the unseen.
        on_order: told after each order how many are done.
    """
    raw = _raw_counts(phrases, order)
    counts = _kneser_ney_counts(raw)
    p: list[dict[str, float]] = []
    back_off: list[dict[str, float]] = []
    missing = [token for token in unseen if token not in counts[0]]
    n_tokens = len(counts[0]) + len(missing)
    for length, of_length in enumerate(counts, start=1):
        listed, weights = _interpolate(of_length, p[-1] if p else None, n_tokens)
        p.append(listed)
        if length == 1:
            listed.update(dict.fromkeys(missing, weights[""] / n_tokens))
        else:
            back_off.append(weights)
        on_order(length)
    p[0][START] = 0.0
    model = NgramModel(tuple(p), tuple(back_off))
    return _pruned(model, raw, prune) if prune > 0 else model


def _raw_counts(phrases: Iterable[str], order: int) -> list[Counter[str]]:
    counts: list[Counter[str]] = [Counter() for _ in range(order)]
    for phrase in phrases:
        text = f"{START}{phrase}{END}"
        for length, of_length in enumerate(counts, start=1):
            of_length.update(text[k : k + length] for k in range(len(text) - length + 1))
    return counts


def _kneser_ney_counts(raw: list[Counter[str]]) -> list[Counter[str]]:
    """Count, below the highest order, in how many ways an n-gram is preceded, not how often it is.

    Nothing precedes the start of a phrase: n-grams that begin with it keep their counts.
    """
    counts: list[Counter[str]] = [raw[-1]]
    for shorter, longer in zip(reversed(raw[:-1]), reversed(raw[1:]), strict=True):
        adjusted = Counter(gram[1:] for gram in longer)
        adjusted.update({gram: n for gram, n in shorter.items() if gram[0] == START})
        counts.append(adjusted)
    counts.reverse()
    counts[0] = Counter({gram: n for gram, n in counts[0].items() if gram != START})
    return counts


def _interpolate(
    counts: Counter[str], shorter: dict[str, float] | None, n_tokens: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the probabilities of one order, and the weights of what is shorter by context."""
    discounts = _discounts(counts)
    totals: defaultdict[str, int] = defaultdict(int)
    saved: defaultdict[str, float] = defaultdict(float)
    for gram, n in counts.items():
        totals[gram[:-1]] += n
        saved[gram[:-1]] += discounts[min(n, 3) - 1]
    weights = {context: saved[context] / total for context, total in totals.items()}
    listed = {}
    for gram, n in counts.items():
        context = gram[:-1]
        below = 1.0 / n_tokens if shorter is None else shorter[gram[1:]]
        kept = (n - discounts[min(n, 3) - 1]) / totals[context]
        listed[gram] = kept + weights[context] * below
    return listed, weights


def _discounts(counts: Counter[str]) -> Discounts:
    """Return what is taken from counts of 1, 2, and 3 or more."""
    of_counts = Counter(counts.values())
    n_1, n_2, n_3, n_4 = (of_counts[k] for k in (1, 2, 3, 4))
    if not (n_1 and n_2 and n_3 and n_4):
        return FALLBACK
    y = n_1 / (n_1 + 2 * n_2)
    found = (1 - 2 * y * n_2 / n_1, 2 - 3 * y * n_3 / n_2, 3 - 4 * y * n_4 / n_3)
    return found if all(0 < d < k for k, d in enumerate(found, start=1)) else FALLBACK


def _pruned(model: NgramModel, raw: list[Counter[str]], threshold: float) -> NgramModel:
    kept: list[dict[str, float]] = [model.p[0]]
    contexts: set[str] = set()
    for length in range(model.order, 1, -1):
        listed = {
            gram: p
            for gram, p in model.p[length - 1].items()
            if gram in contexts or _loss(model, gram, p, raw[length - 1][gram]) >= threshold
        }
        contexts = {gram[:-1] for gram in listed}
        kept.insert(1, listed)
    return NgramModel(tuple(kept), _renewed_back_off(kept))


def _loss(model: NgramModel, gram: str, p: float, count: int) -> float:
    """Return the nats that the training text loses without this n-gram."""
    context = gram[:-1]
    without = model.back_off[len(context) - 1][context] * model.p[len(gram) - 2][gram[1:]]
    return count * math.log(p / without)


def _renewed_back_off(listed: list[dict[str, float]]) -> tuple[dict[str, float], ...]:
    """Return the weights that make every context sum to one, short contexts first."""
    back_off: list[dict[str, float]] = []
    for of_length in listed[1:]:
        known = NgramModel(tuple(listed[: len(back_off) + 1]), tuple(back_off))
        left: defaultdict[str, float] = defaultdict(lambda: 1.0)
        left_below: defaultdict[str, float] = defaultdict(lambda: 1.0)
        for gram, p in of_length.items():
            context = gram[:-1]
            left[context] -= p
            left_below[context] -= known.probability(context[1:], gram[-1])
        back_off.append(
            {
                context: max(left[context], 0.0) / left_below[context]
                if left_below[context] > ALL_SEEN
                else 1.0
                for context in left
            }
        )
    return tuple(back_off)


def arpa_lines(model: NgramModel, names: Mapping[str, str] = TOKENS) -> Iterator[str]:
    r"""Give the model as ARPA text, line by line, each with its ``\n``.

    ``names`` gives characters that do not stand for themselves.
    """
    yield "\\data\\\n"
    for length, listed in enumerate(model.p, start=1):
        yield f"ngram {length}={len(listed)}\n"
    for length, listed in enumerate(model.p, start=1):
        yield f"\n\\{length}-grams:\n"
        weights = model.back_off[length - 1] if length < model.order else {}
        for gram in sorted(listed):
            tokens = " ".join(names.get(c, c) for c in gram)
            line = f"{_log10(listed[gram])}\t{tokens}"
            yield f"{line}\t{_log10(weights[gram])}\n" if gram in weights else f"{line}\n"
    yield "\n\\end\\\n"


def _log10(p: float) -> str:
    """Write seven decimals: a context still sums to one within 1e-6."""
    return f"{math.log10(p):.7f}" if p > 0 else "-99"
