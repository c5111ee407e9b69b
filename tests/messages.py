"""Messages for tests: whole, and of no meaning but what a test gives them."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.wire.messages import Final, Latency, ModelName

LATENCY = Latency(
    transport=None, queue=None, filter=0.0, model=0.0, decode=0.0, publish=0.0, total=0.0
)
FINAL = Final(
    stream="s",
    session="t",
    seq=0,
    host_ns=0,
    text="a",
    symbols=("a",),
    confidence=None,
    nbest=(),
    start_s=None,
    end_s=None,
    samples=(0, 1),
    tainted=False,
    model=ModelName(name="m", sha256="", verified=False),
    latency_ms=LATENCY,
    delete=0,
    index=0,
    transcript_length=1,
    transcript="a",
)


def make_final(**fields: Any) -> Final:
    """Return :data:`FINAL` with other fields."""
    return msgspec.structs.replace(FINAL, **fields)
