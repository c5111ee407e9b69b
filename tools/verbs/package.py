"""``eegscribe package``: a bundle as one file, or as a folder; the same bundle, digest and all."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe package speller/ --out speller.eegb
  eegscribe package speller.eegb --out speller/

An --out that ends in .eegb becomes one file, any other a folder. The bundle is verified and run
before it is written; its digest stays, for nothing in it changes."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "package",
        help="a bundle as one file, or as a folder",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("bundle", type=bundle_argument, metavar="B", help=BUNDLE_HELP)
    parser.add_argument("--out", type=Path, required=True, metavar="B2", help="what to write")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    parser.add_argument("--json", action="store_true", help="one line of JSON, the summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from models.bundle import copy_bundle
    from runtime.engine import open_engine
    from tools.packaging.output import check_out

    check_out(options.out, parent=options.bundle, is_forced=options.force)
    engine = open_engine(options.bundle)
    sha256 = copy_bundle(options.bundle, options.out, pinned_sha256=engine.bundle.sha256)
    files = [options.out] if options.out.is_file() else list(options.out.rglob("*"))
    n_bytes = sum(file.stat().st_size for file in files if file.is_file())
    if options.json:
        summary = {"out": str(options.out), "sha256": sha256, "size_bytes": n_bytes}
        print(json.dumps({"type": "summary", **summary}))
    else:
        print(f"{options.out}: {n_bytes} bytes, sha256 {sha256}")
    return 0
