"""What every test may count on, however the test run itself was started."""

from __future__ import annotations

import gc
import signal

from hypothesis import settings

# A run in the background of a shell ignores SIGINT, and so would every process that the tests start
# and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Half of Hypothesis's examples where a test does not say how many; `--hypothesis-profile=default`
# draws them all, as `make test` does.
settings.register_profile("quick", max_examples=50)
settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Let the collector pass over all that was imported, for it stays; and come less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
