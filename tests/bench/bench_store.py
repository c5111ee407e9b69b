"""The store of bundles: look-up against how many it holds, and installs that are killed.

Look-up is what a daemon does at start: from a name or a digest to a file. It is timed in blocks
that go through the sizes in turn, so that a slow moment hits all of them; nine entries spread over
each store are asked for, so that none is helped or hurt by the processor's caches. Entries beyond
the few real bundles are files of their names with nothing in them, which a look-up never opens.

Kills: processes install at once, each is killed by SIGKILL at a random moment, and the store is
checked after each kill while the others go on, and once more when all have ended.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from runtime.store import find
from tests.bench.command import bench_main
from tests.bench.tables import spread, spread_table, table
from tests.bundles import ctc_model, make_bundle
from tests.store_worker import problems, settled_problems, start
from tools.packaging.installation import install

SIZES = (10, 100, 1000, 10_000)
KINDS = ("name", "digest")
N_ASKED = 9
N_AT_ONCE = 25
KILL_WITHIN_S = 2.0


def filled(folder: Path, n: int, bundle: Path) -> Path:
    """Return a store of ``n`` names and digests, one of them a real bundle."""
    store = folder / str(n)
    install(bundle, folder=store, name="name-0")
    for k in range(1, n):
        digest = f"{k:064x}"
        (store / "digests" / f"{digest}.eegb").touch()
        (store / "names" / f"name-{k}").symlink_to(f"../digests/{digest}.eegb")
    return store


def lookups(stores: dict[int, Path], *, n_blocks: int, n_looks: int) -> dict[str, Any]:
    """Return microseconds a look-up, by name and by digest, for every size."""
    taken: dict[str, dict[int, list[float]]] = {kind: {n: [] for n in stores} for kind in KINDS}
    rng = random.Random(0)
    for _ in range(n_blocks):
        for n, store in rng.sample(sorted(stores.items()), len(stores)):
            for kind in KINDS:
                spread_out = [1 + k * (n - 1) // N_ASKED for k in range(N_ASKED)]
                keys = rng.choices(spread_out, k=n_looks)
                texts = [f"name-{k}" if kind == "name" else f"{k:064x}" for k in keys]
                for text in texts:
                    began_ns = time.perf_counter_ns()
                    found = find(text, folder=store)
                    taken[kind][n].append((time.perf_counter_ns() - began_ns) / 1e3)
                    if found is None:
                        raise RuntimeError(f"{text}: not found in a store of {n}")
    return {kind: {str(n): spread(us) for n, us in by.items()} for kind, by in taken.items()}


def kills(folder: Path, bundles: list[Path], *, n_kills: int) -> dict[str, Any]:
    """Return in how many of ``n_kills`` checks the store was whole, and what was wrong."""
    rng = random.Random(0)
    wrong: list[str] = []
    n_whole = n_rounds = 0
    store = folder / "killed"
    for first in range(0, n_kills, N_AT_ONCE):
        seeds = range(first, min(first + N_AT_ONCE, n_kills))
        workers = [start(store, seed, 100_000, bundles, has_removes=False) for seed in seeds]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in rng.sample(workers, len(workers)):
            time.sleep(rng.uniform(0.0, KILL_WITHIN_S / N_AT_ONCE))
            worker.kill()
            worker.wait()
            found = list(problems(store))
            n_whole += not found
            wrong += found
        for worker in workers:
            worker.communicate()
        n_rounds += 1
        wrong += settled_problems(store)
    return {"kills": n_kills, "whole": n_whole, "rounds": n_rounds, "wrong": wrong}


def all_at_once(folder: Path, bundles: list[Path], *, n: int) -> dict[str, Any]:
    """Return how many of ``n`` processes that install at once did so, and in how long."""
    store = folder / "at-once"
    workers = [start(store, seed, 1, bundles, has_removes=False) for seed in range(n)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    began_s = time.monotonic()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    n_done = sum(worker.communicate()[0] == "done\n" for worker in workers)
    seconds = time.monotonic() - began_s
    return {
        "processes": n,
        "done": n_done,
        "seconds": seconds,
        "wrong": list(settled_problems(store)),
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure look-up and kills; print them."""
    with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as name:
        folder = Path(name)
        bundles = [folder / f"bundle-{seed}.eegb" for seed in range(3)]
        for seed, path in enumerate(bundles):
            make_bundle(path, model=ctc_model(seed))
        stores = {n: filled(folder, n, bundles[0]) for n in SIZES}
        found = lookups(stores, n_blocks=5 if quick else 40, n_looks=100)
        for kind, by_size in found.items():
            titled = {f"{n} bundles": figures for n, figures in by_size.items()}
            print(spread_table(titled, title=f"look-up by {kind}", unit="us"), end="\n\n")
        ratio = {
            kind: float(np.divide(by[str(SIZES[-1])]["p50"], by[str(SIZES[0])]["p50"]))
            for kind, by in found.items()
        }
        print(f"median at {SIZES[-1]} over median at {SIZES[0]}: {ratio}\n", flush=True)
        n = 20 if quick else 100
        killed = kills(folder, bundles, n_kills=n)
        at_once = all_at_once(folder, bundles, n=n)
        rows = [
            ("killed while installing", killed["kills"], killed["whole"], len(killed["wrong"])),
            ("installing at once", n, at_once["done"], len(at_once["wrong"])),
        ]
        print(table(rows, header=("processes", "n", "whole after", "problems")))
        for line in (*killed["wrong"], *at_once["wrong"]):
            print(f"  {line}")
    return {"lookup_us": found, "ratio": ratio, "killed": killed, "at_once": at_once}


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
