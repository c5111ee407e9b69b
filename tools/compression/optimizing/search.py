"""Which shares to remove: an optimiser proposes, a walk answers with loss, time and size.

The first proposals are plain: the same share of everything, more if that was kept, less if not. One
is drawn; from then on a Gaussian process of each objective proposes by what it has seen (Optuna's).
Walks take minutes, so that what it learns from each is worth the second that it thinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna

from tools.compression.optimizing.walk import Walk, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.compression.pruning.structured import Amounts

FIRST, STEPS = 0.5, (0.2, 0.1)
"""The share of everything that is tried first, and how far up or down the next ones are."""

MOST, GRAIN = 0.8, 0.1
"""The largest share, and how finely they are divided: what differs by less is the same."""

WORST = (1.0, 10.0, 1.0)
"""Loss, time and size of what could not be made."""

N_TRIES = 5
"""How often the optimiser may propose what is known before the search ends."""


def search(
    walk: Callable[[Amounts], Walk],
    kinds: Sequence[str],
    *,
    n_walks: int,
    size_bytes: int,
    seed: int = 0,
    on_walk: Callable[[Walk], None] = lambda _walk: None,
) -> list[Walk]:
    """Return at most ``n_walks`` different walks in the order they were made, the whole one first.

    Args:
        walk: makes one, given the share of each kind of units that is removed.
        kinds: of units; none for a network that cannot be pruned.
        n_walks: how many, the one that removes nothing included.
        size_bytes: of the original.
        seed: of the optimiser.
        on_walk: hears each one.
    """
    found: dict[str, Walk] = {}

    def walked(amounts: Amounts) -> Walk:
        if key_of(amounts) not in found:
            found[key_of(amounts)] = walk(amounts)
            on_walk(found[key_of(amounts)])
        return found[key_of(amounts)]

    walked({})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=["minimize"] * len(WORST),
        sampler=optuna.samplers.GPSampler(seed=seed, n_startup_trials=len(STEPS) + 2),
    )
    plain = FIRST
    for number in range(n_walks + N_TRIES if kinds else 0):
        if len(found) == n_walks:
            break
        if number <= len(STEPS):
            study.enqueue_trial(dict.fromkeys(kinds, round(plain, 3)))
        trial = study.ask()
        drawn = {kind: trial.suggest_float(kind, 0.0, MOST, step=GRAIN) for kind in kinds}
        amounts = {kind: round(share, 3) for kind, share in drawn.items() if round(share, 3)}
        one = walked(amounts)
        study.tell(trial, values_of(one, size_bytes))
        if number < len(STEPS):
            plain += STEPS[number] if one.steps[0].is_kept else -STEPS[number]
    return list(found.values())


def values_of(walk: Walk, size_bytes: int) -> tuple[float, float, float]:
    """Return loss, time against the original and share of its size: of the last step kept.

    Where none was kept they are of the first that was made, so that the optimiser learns from it.
    """
    made = [step for step in walk.steps if step.figures is not None]
    kept = [step for step in made if step.is_kept]
    chosen = kept[-1:] or made[:1]
    if not chosen or chosen[0].figures is None:
        return WORST
    figures = chosen[0].figures
    return figures.loss.more, figures.speed.ratio_p50, figures.size_bytes / size_bytes
