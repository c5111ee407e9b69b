"""Options that all verbs share which make a bundle smaller and compare it with what it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.packaging.output import check_out

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

LEAST = {"steps": 1, "texts": 1, "blocks": 2, "windows": 2}


def add_comparison(parser: ArgumentParser, *, timed: str) -> None:
    """Add how it is compared; ``timed`` says of what the turns are."""
    add: Any = parser.add_argument
    add("--texts", type=int, help="held-out texts to compare on; all")
    add("--blocks", type=int, default=20, help=f"turns that each {timed} is timed (%(default)s)")
    add("--windows", type=int, default=200, help="timed in each turn (%(default)s)")
    add("--cache", type=Path, metavar="FOLDER", help="keep filtered recordings there")
    add("--json", action="store_true", help="JSON lines, the last one a summary")


def check_comparison(options: Namespace, *, least: Mapping[str, int] | None = None) -> None:
    """Refuse counts below :data:`LEAST` or ``least``, a rate that is none, a place not to write to.

    Raises:
        UsageError: names the option.
    """
    for name, minimum in {**LEAST, **(least or {})}.items():
        value = getattr(options, name)
        if value is not None and value < minimum:
            raise UsageError(f"--{name}: got {value}, wanted {minimum} or more")
    if options.rate is not None and not (math.isfinite(options.rate) and options.rate > 0):
        raise UsageError(f"--rate: got {options.rate}, wanted more than 0")
    check_out(options.out, parent=options.bundle, is_forced=options.force)
