"""How often the evaluator is wrong: deaf systems said to read, hearing systems not found.

Made-up outputs (tests/null_sets.py): 60 texts of like lengths, read twice by each of five people; a
deaf system has a favourite guess for each text, which knows nothing of it; words are as common as
in language, or all alike. A hearing system gets 3 x the rule's margin more of the words right
than always saying the best phrase; there words are all alike, for else that alone is a lot.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.bench.command import bench_main
from tests.null_sets import N_EACH, N_PEOPLE, N_TEXTS, data_set
from tools.evaluation.judgement import Claim, Judge
from tools.evaluation.rule import DELTA

N_SETS = 200
HEARS = 3 * DELTA + 0.01
"""The best constant phrase gets about one word in a hundred."""
N_DRAWS, N_PERMUTATIONS = 2000, 999
MOST_WRONG, LEAST_FOUND = 0.02, 0.80


def verdicts(*, effect: float, is_flat: bool, n_sets: int) -> dict[str, int]:
    """Return how many data sets got which verdict."""
    found: Counter[str] = Counter()
    for seed in range(n_sets):
        pairs, controls = data_set(seed, effect=effect, is_flat=is_flat)
        judge = Judge(pairs, Claim("words"), n_draws=N_DRAWS, n_permutations=N_PERMUTATIONS)
        found[judge.judge(controls).verdict.verdict] += 1
    return dict(found)


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    n_sets = 20 if quick else N_SETS
    rows = {
        "deaf": verdicts(effect=0.0, is_flat=False, n_sets=n_sets),
        "deaf, words all alike": verdicts(effect=0.0, is_flat=True, n_sets=n_sets),
        f"hearing, {3 * DELTA:g} better than chance": verdicts(
            effect=HEARS, is_flat=True, n_sets=n_sets
        ),
    }
    print(f"{n_sets} data sets each, {N_TEXTS} texts x {N_PEOPLE} people x {N_EACH}, SIMULATED")
    print(f"{'':24}{'reads EEG':>12}{'not shown':>12}{'fooled':>12}")
    for name, found in rows.items():
        shares = (found.get(k, 0) / n_sets for k in ("reads EEG", "not shown", "fooled"))
        print(f"{name:24}" + "".join(f"{share:12.1%}" for share in shares))
    *deaf, hearing = (found.get("reads EEG", 0) / n_sets for found in rows.values())
    reached = max(deaf) <= MOST_WRONG and hearing >= LEAST_FOUND
    print(
        f"reads EEG of the deaf <= {MOST_WRONG:.0%} and of the hearing >= {LEAST_FOUND:.0%}:"
        f" {'reached' if reached else 'NOT reached'}\n"
    )
    return {"verdict": {"n_sets": n_sets, **rows}}


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
