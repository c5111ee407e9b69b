"""Options that all verbs share which make a bundle smaller and compare it with what it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument
from tools.packaging.output import check_out

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

LEAST = {"steps": 1, "texts": 1, "blocks": 2, "windows": 2}


def add_inputs(parser: ArgumentParser, *, recordings: str, made: str) -> None:
    """Add the bundle, what it was trained on (``recordings`` says it), and where to write.

    Without ``--out`` that is a file of the bundle's name and ``made`` in the working directory.
    """
    add: Any = parser.add_argument
    add("bundle", type=bundle_argument, metavar="B", help=BUNDLE_HELP)
    add("recordings", nargs="*", type=Path, metavar="DATA", help=recordings)
    add("--simulate", action="store_true", help="it was trained on the simulated person")
    where = f"folder or .eegb file (./B.{made}.eegb)"
    add("--out", type=Path, metavar="B2", help=where)
    parser.set_defaults(made=made)
    add("--force", action="store_true", help="replace the bundle if it is there")


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

    Puts the place where it was not given.

    Raises:
        UsageError: names the option.
    """
    for name, minimum in {**LEAST, **(least or {})}.items():
        value = getattr(options, name)
        if value is not None and value < minimum:
            raise UsageError(f"--{name}: got {value}, wanted {minimum} or more")
    if options.rate is not None and not (math.isfinite(options.rate) and options.rate > 0):
        raise UsageError(f"--rate: got {options.rate}, wanted more than 0")
    if options.out is None:
        options.out = Path(f"{options.bundle.stem}.{options.made}.eegb")
    check_out(options.out, parent=options.bundle, is_forced=options.force)
