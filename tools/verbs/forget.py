"""``eegscribe forget``: a session's finals and recordings are erased for ever."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import UsageError
from runtime.config import Journal, Record, read_config
from runtime.journal_store import Store

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe forget --session 20261122T051300Z-9ac8cca2
  eegscribe forget --session 20261122T051300Z-9ac8cca2 --config eegscribe.toml

Works while the daemon runs. Without --config, the journal of this user's default place is meant."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "forget",
        help="delete a session's finals and recordings",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--session", required=True, metavar="S", help="the session's name")
    parser.add_argument("--config", type=Path, help="the daemon's configuration (TOML)")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    if not options.session:
        raise UsageError("--session: got '', wanted the name of a session")
    journal, record = Journal(), Record()
    if options.config is not None:
        config = read_config(options.config)
        journal, record = config.journal, config.record
    recordings = session_recordings(record.directory, options.session)
    n_finals, known = _forget_finals(journal.path, options.session)
    if not n_finals and not recordings:
        told = ", ".join(known[-5:]) or "none"
        raise UsageError(
            f"--session: got {options.session!r}, wanted one of {journal.path} (the last: {told})"
        )
    for path in recordings:
        path.unlink()
    if options.json:
        summary = {"type": "summary", "session": options.session, "finals": n_finals}
        names = [path.name for path in recordings]
        print(msgspec.json.encode(summary | {"recordings": names}).decode())
    else:
        print(f"{options.session}: {n_finals} finals and {len(recordings)} recordings erased")
    return 0


def session_recordings(folder: Path | None, session: str) -> list[Path]:
    """Return the recordings of a session, named ``STREAM-SESSION.…``; links are left out."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if f"-{session}." in path.name and path.is_file() and not path.is_symlink()
    )


def _forget_finals(path: Path, session: str) -> tuple[int, list[str]]:
    """Return how many finals were erased, and the sessions there were."""
    if not path.exists():
        return 0, []
    store = Store(path)
    try:
        known = [stored.session for stored in store.sessions()]
        return (store.forget(session) if session in known else 0), known
    finally:
        store.close()
