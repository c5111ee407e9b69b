"""What every test may count on, however the test run itself was started."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

DEMO_BUNDLE = Path(__file__).parent.parent / "tools" / "demo" / "demo.eegb"

# A run in the background of a shell ignores SIGINT, and so would every process that the tests start
# and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Half of Hypothesis's examples where a test does not say how many, drawn anew each time; `make
# test` takes all, always the same: what it says of a change is of the change. `long` searches.
settings.register_profile("quick", max_examples=50)
settings.register_profile("same", max_examples=100, derandomize=True, database=None)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that live in real time in the same one.

    What is live waits for LSL, sockets and clocks; beside a second like it, it would wait too long.
    """
    for item in items:
        is_live = item.get_closest_marker("live") is not None
        group = "live" if is_live else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Let the collector pass over all that was imported, for it stays; and come less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def _shipped_stays_as_it_is() -> Iterator[None]:
    """Fail whoever writes into the bundle that we ship: `evaluate` writes its verdict there."""
    before = DEMO_BUNDLE.read_bytes()
    yield
    assert DEMO_BUNDLE.read_bytes() == before, f"{DEMO_BUNDLE}: a test wrote into it"
