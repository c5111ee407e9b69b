"""A final from the loop to the disk and back: what publishing a final waits for."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from runtime.journal import Journal
from runtime.journal_store import Entry
from tests.bench.command import RESULTS, bench_main
from tests.bench.tables import spread, spread_table

BODY_BYTES = 2000
PAUSE_S = 0.002
"""Finals are rare: each finds the journal's thread asleep."""


def commits_ms(folder: Path, *, sync: Literal["full", "normal"], n_finals: int) -> list[float]:
    """Return the milliseconds from ``append`` to a committed final, one after the other."""
    journal = Journal(folder / f"{sync}.sqlite", sync=sync, keep_days=1.0)
    journal.start()
    taken = []
    try:
        for seq in range(n_finals):
            entry = Entry(stream="bench", session="bench", seq=seq, body=b"x" * BODY_BYTES)
            began_ns = time.perf_counter_ns()
            journal.append(entry).result()
            taken.append((time.perf_counter_ns() - began_ns) / 1e6)
            journal.mark_published(entry)
            time.sleep(PAUSE_S)
    finally:
        journal.close()
    return taken


def _filesystem(folder: Path) -> str:
    """Return the kind of file system that ``folder`` is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def run(*, quick: bool) -> dict[str, Any]:
    """Measure both ways of syncing; print them."""
    n_finals = 300 if quick else 3000
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        path = Path(folder).resolve()
        spreads = {
            f'sync = "{sync}"': spread(commits_ms(path, sync=sync, n_finals=n_finals)[20:])
            for sync in ("full", "normal")
        }
        kind = _filesystem(path)
    print(spread_table(spreads, title=f"a final committed, on {kind}", unit="ms"), end="\n\n")
    return {"commit_ms": spreads, "filesystem": kind}


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
