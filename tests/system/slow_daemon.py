"""The daemon with one component made slow: ``python -m tests.system.slow_daemon WHERE MS run …``.

Delays are put into the components themselves, so that nothing but a clock can tell where they are.
The filter is slow once a hop, not once a call: samples of one push may come in several pulls, and a
pull that waited for the filter of the one before it was in the queue meanwhile.
"""

from __future__ import annotations

import functools
import sys
import time
from typing import Any

from models.onnx_backend import OnnxModel
from pipeline.filters import FilterChain
from pipeline.sliding import SlidingCtc
from runtime.session import Session
from runtime.wire.publisher import Publisher
from tests.bundles import ctc_spec
from tools.cli import main

HOP = ctc_spec().window.hop_samples
WHERE: dict[str, tuple[type, str]] = {
    "filter": (FilterChain, "push_marking"),
    "model": (OnnxModel, "run"),
    "decode": (SlidingCtc, "push"),
    "compose": (Session, "compose"),
    "send": (Publisher, "send"),
}
"""By name: a method of the decode thread."""


def slow_down(owner: type, name: str, delay_s: float) -> None:
    """Make every call of a method take longer; of the filter those that complete a hop."""
    method = getattr(owner, name)
    n_samples = 0

    @functools.wraps(method)
    def slowed(self: Any, *given: Any, **named: Any) -> Any:
        nonlocal n_samples
        n_before, n_samples = (
            n_samples,
            n_samples + (len(given[0]) if owner is FilterChain else HOP),
        )
        if n_samples // HOP > n_before // HOP:
            time.sleep(delay_s)
        return method(self, *given, **named)

    setattr(owner, name, slowed)


if __name__ == "__main__":
    stage, delay_ms, *words = sys.argv[1:]
    slow_down(*WHERE[stage], float(delay_ms) / 1e3)
    sys.exit(main(words))
