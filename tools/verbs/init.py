"""``eegscribe init``: a configuration to start from."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import StreamLost, UsageError
from tools.first_day.starting_config import FoundStream, eeg_of, markers_of, starting_config

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """example:
  eegscribe init --out eegscribe.toml --bundle speller.eegb

Switch the headset and its LSL app on first."""

DEFAULT_BUNDLE = "speller.eegb"


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "init",
        help="write a commented configuration from the streams found",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=Path, default=Path("eegscribe.toml"), help="the file to write (%(default)s)"
    )
    parser.add_argument(
        "--bundle", default=DEFAULT_BUNDLE, help="the bundle that shall decode (%(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument(
        "--timeout", type=float, default=2.0, metavar="S", help="to look for streams (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    if options.out.exists() and not options.force:
        raise UsageError(f"--out: {options.out} is there already, wanted a new file or --force")
    if not 0 < options.timeout <= 3600:
        raise UsageError(f"--timeout: got {options.timeout}, wanted seconds above 0, at most 3600")
    found = found_streams(options.timeout)
    eegs = eeg_of(found)
    if not eegs:
        others = ", ".join(repr(stream.name) for stream in found) or "nothing"
        raise StreamLost(
            f"no EEG stream within {options.timeout:g} s, only {others}; "
            "is the headset on, and its LSL app running?"
        )
    _write(options.out, starting_config(found, bundle=options.bundle), force=options.force)
    for eeg in eegs:
        _tell(eeg, markers_of(eeg, found), as_json=options.json)
    if options.json:
        summary = {"type": "summary", "out": str(options.out), "streams": len(eegs)}
        print(msgspec.json.encode(summary).decode())
    else:
        print(f"{options.out} is written. Next:  eegscribe check --config {options.out}")
    return 0


def found_streams(timeout_s: float) -> list[FoundStream]:
    """Return the LSL streams that answer within a time."""
    import pylsl

    from runtime.lsl.log import hush_lsl

    hush_lsl()
    return [
        FoundStream(
            name=info.name(),
            kind=info.type(),
            source_id=info.source_id(),
            hostname=info.hostname(),
            n_channels=info.channel_count(),
            rate_hz=info.nominal_srate(),
            is_text=info.channel_format() == pylsl.cf_string,
        )
        for info in pylsl.resolve_streams(timeout_s)
    ]


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write a new file; never over another one unless forced."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"--out: {path} cannot be written: {error.strerror}") from None


def _tell(eeg: FoundStream, markers: FoundStream | None, *, as_json: bool) -> None:
    """Say what was found."""
    if as_json:
        told = {"type": "stream", "eeg": eeg.query(), "channels": eeg.n_channels}
        told |= {"rate_hz": eeg.rate_hz, "markers": None if markers is None else markers.query()}
        print(msgspec.json.encode(told).decode())
        return
    beside = "no markers" if markers is None else f"markers {markers.name!r}"
    print(f"found {eeg.name!r}: {eeg.n_channels} channels at {eeg.rate_hz:g} Hz, {beside}")
