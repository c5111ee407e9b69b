"""``eegscribe schema``: the contracts as JSON Schema (2020-12)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from argparse import Namespace

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONTRACTS = ("messages", "layout", "config", "manifest")

WRITTEN_AS: dict[type, dict[str, Any]] = {Path: {"type": "string", "minLength": 1}}
"""How the contracts' types that are not JSON's own stand in a file."""

EXAMPLE = """examples:
  eegscribe schema > messages.schema.json
  eegscribe schema config > eegscribe.schema.json"""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "schema",
        help="the contracts as JSON Schema",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "contract",
        nargs="?",
        default="messages",
        choices=CONTRACTS,
        help="which one: what is published, a speller's layout, the daemon's configuration, "
        "a bundle's manifest (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    print(json.dumps(contract_schema(options.contract), indent=2, ensure_ascii=False))
    return 0


def contract_schema(contract: str) -> dict[str, Any]:
    """Return the JSON Schema of one of :data:`CONTRACTS`."""
    if contract == "messages":
        from runtime.wire.messages import schema

        return schema()
    if contract == "config":
        return _config()
    if contract == "layout":
        from tools.recordings.layout import Layout

        return _schema(Layout, "A speller's layout")
    from models.manifest import Manifest

    return _schema(Manifest, "manifest.json of a bundle")


def _config() -> dict[str, Any]:
    """Return the schema of the TOML file; ``stream`` may be one table or several."""
    from runtime.config import DaemonConfig

    whole = _schema(DaemonConfig, "The daemon's configuration (TOML)")
    streams = whole["$defs"]["DaemonConfig"]["properties"]["stream"]
    streams["minItems"] = 1
    whole["$defs"]["DaemonConfig"]["properties"]["stream"] = {"anyOf": [streams["items"], streams]}
    return whole


def _schema(kind: Any, title: str) -> dict[str, Any]:
    """Return the schema of a msgspec type, with readable descriptions."""
    (top,), parts = msgspec.json.schema_components(
        (kind,), schema_hook=_as_written, ref_template="#/$defs/{name}"
    )
    for part in parts.values():
        if "description" in part:
            part["description"] = " ".join(part["description"].replace("``", "").split())
    return {"$schema": DIALECT, "title": title, **top, "$defs": parts}


def _as_written(kind: type) -> dict[str, Any]:
    """Return the schema of a type that msgspec does not know.

    Raises:
        TypeError: :data:`WRITTEN_AS` does not say how it is written.
    """
    if kind not in WRITTEN_AS:
        raise TypeError(f"{kind.__name__}: WRITTEN_AS lacks it, wanted how it stands in a file")
    return WRITTEN_AS[kind]
