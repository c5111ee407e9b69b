"""A process that appends finals is killed at any moment: nothing it published may be missing."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runtime.journal import Journal
from runtime.journal_store import Entry, Store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

WRITER = """
import sys
from pathlib import Path
from runtime.journal import Journal
from runtime.journal_store import Entry

journal = Journal(Path(sys.argv[1]), sync=sys.argv[2], keep_days=30)
journal.start()
seq = 0
while True:
    entries = [Entry("s", "t", seq + n, b"%d" % (seq + n)) for n in range(3)]
    for entry, done in [(entry, journal.append(entry)) for entry in entries]:
        done.result()
        print(entry.seq, flush=True)  # published
        journal.mark_published(entry)
    seq += len(entries)
"""


@pytest.mark.parametrize("sync", ["full", "normal"])
@pytest.mark.parametrize("seed", range(4))
def test_a_sigkill_loses_no_published_final(tmp_path: Path, sync: str, seed: int) -> None:
    path = tmp_path / "journal.sqlite"
    n_lines = random.Random(seed).randrange(1, 400)  # noqa: S311 - where to kill
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), sync], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        published = [int(writer.stdout.readline()) for _ in range(n_lines)]
        writer.send_signal(signal.SIGKILL)
        published += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    store = Store(path)
    page = store.page(stream="s", session="t", start=0, n_max=10**6, n_bytes_max=10**9)
    store.close()
    stored = [entry.seq for entry in page.entries]
    assert stored == list(range(len(stored)))
    assert published == stored[: len(published)]

    again = Journal(path, sync="full", keep_days=30)
    unpublished = again.start()
    again.close()
    assert {entry.seq for entry in unpublished} >= set(stored) - set(published)
    assert all(entry == Entry("s", "t", entry.seq, b"%d" % entry.seq) for entry in unpublished)
