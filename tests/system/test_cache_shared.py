"""Two processes that filter the same recordings into one folder at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from pipeline.filters import FilterChain
from tests.text_recordings import eeg, small_spec, write_array
from tools.training.data.cache import FilteredCache
from tools.training.data.corpus import read_corpus
from tools.training.data.settings import DataSettings

PROCESS = """
import sys
from pathlib import Path
from tests.text_recordings import small_spec
from tools.training.data.cache import FilteredCache
from tools.training.data.corpus import read_corpus
from tools.training.data.settings import DataSettings

*paths, folder = map(Path, sys.argv[1:])
corpus = read_corpus(paths, DataSettings())
cache = FilteredCache(corpus.recordings, small_spec(), folder=folder)
print("ready", flush=True)
sys.stdin.readline()
print(sum(len(cache.samples(recorded)) for recorded in corpus.recordings))
"""


def test_processes_share_a_folder_and_leave_it_whole(tmp_path: Path) -> None:
    paths = [
        write_array(tmp_path / f"{k}.npy", [("ab", 300, 400)], samples=eeg(60_000, seed=k))
        for k in range(4)
    ]
    folder = tmp_path / "cache"
    command = [sys.executable, "-c", PROCESS, *map(str, paths), str(folder)]
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0, 0]
    assert said == ["240000\n"] * 3
    assert sorted(path.suffix for path in folder.iterdir()) == [".npy"] * 4
    corpus = read_corpus(paths, DataSettings())
    cache = FilteredCache(corpus.recordings, small_spec(), folder=folder)
    for seed, recorded in enumerate(corpus.recordings):
        wanted = FilterChain(small_spec()).push(eeg(60_000, seed=seed))
        np.testing.assert_array_equal(cache.samples(recorded), wanted)
