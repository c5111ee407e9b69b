"""What every test may count on, however the test run itself was started."""

from __future__ import annotations

import signal

# A run in the background of a shell ignores SIGINT, and so would every process that the tests start
# and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
