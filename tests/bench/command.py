"""What every bench's command line shares: the machine first, then the figures, then the JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.processes import REPO
from tools.host import machine

RESULTS = REPO / "bench-results"

Run = Callable[..., dict[str, Any]]


def bench_main(run: Run) -> None:
    """Run one bench from its own command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a short run: a look, no figure")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    described = machine.describe()
    print(machine.show(described), end="\n\n", flush=True)
    figures = run(quick=options.quick)
    if options.json is not None:
        write_json(options.json, {"machine": described, "quick": options.quick, "figures": figures})


def write_json(path: Path, document: object) -> None:
    """Write ``document`` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(document, indent=1, default=_plain) + "\n")
    partial.replace(path)


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays, and paths, as JSON knows them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
