"""Processes that install and remove at once, and are killed: the store is whole at every moment."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.bundle import load_bundle
from runtime.store import DIGESTS, find
from tests.bundles import ctc_model, make_bundle
from tests.store_worker import REPO, problems, settled_problems, start
from tools.packaging.installation import install
from tools.packaging.inventory import names
from tools.packaging.store_lock import STAGING, changing

N_PROCESSES = 8

KILLED_AT_EVERY_LINE = """
import os, signal, sys
from pathlib import Path
from tools.packaging.installation import install

store, source, old = map(Path, sys.argv[1:4])
is_there = sys.argv[4] == "1"

def die_at(k):
    left = k
    def at_line(frame, event, arg):
        nonlocal left
        if event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return at_line
    def at_call(frame, event, arg):
        code = frame.f_code
        ours = "tools/packaging" in code.co_filename or code.co_name in {"_write", "_write_zip"}
        return at_line if ours else None
    return at_call

k, status = 0, 1
while status:
    k += 1
    own = store / str(k)
    install(old, folder=own, name="x")
    if is_there:
        install(source, folder=own, name="y")
    pid = os.fork()
    if not pid:
        sys.settrace(die_at(k))
        install(source, folder=own, name="x", is_replacing=True)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
print(k)
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    made = [folder / f"bundle-{seed}.eegb" for seed in range(3)]
    for seed, path in enumerate(made):
        make_bundle(path, model=ctc_model(seed))
    return made


@pytest.mark.parametrize("is_there", [False, True])
def test_an_installation_killed_at_any_line_is_whole_or_not_there(
    tmp_path: Path, bundles: list[Path], *, is_there: bool
) -> None:
    old, new = bundles[:2]
    words = [str(tmp_path), str(new), str(old), str(int(is_there))]
    told = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_LINE, *words],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    )
    n_lines = int(told.stdout)
    assert n_lines > 60
    before = load_bundle(old).sha256
    seen = set()
    for k in range(1, n_lines + 1):
        store = tmp_path / str(k)
        assert list(problems(store)) == [], k
        assert find("x", folder=store) is not None, k  # the name leads to one of the two
        with changing(store):
            pass
        assert list((store / STAGING).iterdir()) == [], k
        n_bundles = len(list((store / DIGESTS).iterdir()))
        named = find("x", folder=store)
        assert named is not None
        was_installed = named.stem != before
        assert n_bundles == 1 + (was_installed or is_there), k
        seen.add(was_installed)
    assert seen == {False, True}


@pytest.mark.parametrize("seed", range(2))
def test_processes_killed_at_any_moment_leave_the_store_whole(
    tmp_path: Path, bundles: list[Path], seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - when to kill
    store = tmp_path / "store"
    workers = [start(store, k, 1000, bundles, has_removes=False) for k in range(N_PROCESSES)]
    _go(workers)
    for worker in workers:
        time.sleep(rng.uniform(0.0, 0.25))
        worker.kill()
        worker.wait()
        assert list(problems(store)) == []
    _end(workers)
    assert list(settled_problems(store)) == []
    done = install(bundles[0], folder=store, name="shared", is_replacing=True)
    assert find("shared", folder=store) == done.path


def test_processes_that_install_and_remove_at_once_disagree_about_nothing(
    tmp_path: Path, bundles: list[Path]
) -> None:
    store = tmp_path / "store"
    workers = [start(store, k, 25, bundles, has_removes=True) for k in range(N_PROCESSES)]
    _go(workers)
    told = [worker.communicate()[0] for worker in workers]
    assert told == ["done\n"] * N_PROCESSES
    assert list(settled_problems(store)) == []
    assert names(store)


def _go(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()


def _end(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        worker.communicate()
