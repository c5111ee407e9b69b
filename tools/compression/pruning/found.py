"""What a method of pruning gives: networks by name, one of them the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ORIGINAL, CUT, TUNED = "original", "pruned, as it is", "fine-tuned"
TICKET, SCRATCH = "ticket", "from scratch"
"""Names of the table's lines."""


@dataclass(slots=True)
class Found:
    """Networks by name behind the original, in the order of the table; ``kept`` is the result.

    ``notes`` are sentences for under the table.
    """

    networks: dict[str, Any]
    kept: str
    sparsity: float
    notes: list[str] = field(default_factory=list)
