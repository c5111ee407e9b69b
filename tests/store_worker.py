"""A process that installs into a store and takes out of it, to be killed at any moment.

``python -m tests.store_worker STORE SEED N REMOVES BUNDLE…`` says ``ready``, waits for a line, then
does N things and says ``done``. :func:`problems` says what is wrong with a store.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.bundle import load_bundle
from pipeline.errors import BundleError
from runtime.store import find
from tools.packaging.installation import install, remove
from tools.packaging.inventory import digests, names
from tools.packaging.store_lock import STAGING, StoreError, changing

REPO = Path(__file__).parents[1]
SHARED = "shared"


def work(store: Path, seed: int, n: int, *, has_removes: bool, bundles: Sequence[Path]) -> None:
    """Install bundles under a name of their own or one of all, and take names out again."""
    rng = random.Random(seed)  # noqa: S311 - an order of work
    for _ in range(n):
        source = rng.choice(bundles)
        name = rng.choice((source.stem, SHARED, f"own-{seed}"))
        if has_removes and rng.random() < 0.4:
            with contextlib.suppress(BundleError):  # another took it out, or it is not in yet
                remove(name, folder=store, is_forced=True)
        else:
            install(source, folder=store, name=name, is_replacing=True)


def start(
    store: Path, seed: int, n: int, bundles: Sequence[Path], *, has_removes: bool
) -> subprocess.Popen[str]:
    """Start a worker that waits for a line."""
    words = [str(store), str(seed), str(n), str(int(has_removes)), *map(str, bundles)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store_worker", *words],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def problems(store: Path) -> Iterator[str]:
    """Yield every bundle that is not whole, and every name that does not lead to its bundle."""
    for sha256 in digests(store):
        try:
            load_bundle(store / "digests" / f"{sha256}.eegb", pinned_sha256=sha256)
        except BundleError as error:
            yield str(error)
    for name in names(store):
        try:
            path = find(name, folder=store)
            if path is None:
                yield f"{name}: is not found"
            else:  # any of its bundles: others may be at work
                load_bundle(path, pinned_sha256=path.stem)
        except BundleError as error:
            yield str(error)


def settled_problems(store: Path) -> Iterator[str]:
    """Yield what is wrong once all workers have ended and the next change has swept."""
    with changing(store):
        pass
    yield from problems(store)
    for left in sorted((store / STAGING).iterdir()):
        yield f"{left}: left in staging"


def main() -> None:
    store, seed, n, has_removes, *bundles = sys.argv[1:]
    print("ready", flush=True)  # noqa: T201 - told to who started it
    sys.stdin.readline()
    try:
        work(
            Path(store),
            int(seed),
            int(n),
            has_removes=has_removes == "1",
            bundles=[Path(bundle) for bundle in bundles],
        )
    except StoreError as error:
        sys.exit(str(error))
    print("done", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
