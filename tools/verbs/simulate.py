"""``eegscribe simulate``: EEG of somebody who types with the mind, over LSL or into a file."""

from __future__ import annotations

import argparse
import json
import math
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import UsageError
from runtime.simulation.synthesis import DEFAULT_SNR_DB, SynthesisSettings, synthesise
from tools.console.progress import progress

if TYPE_CHECKING:
    from argparse import Namespace

    from runtime.simulation.synthesis import Session

EXAMPLE = """examples:
  eegscribe simulate --text "hello there" --name headset
  eegscribe simulate --text "hello there" --out hello.xdf --seed 7

All of it is simulated: no person, no headset, no claim about either."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "simulate",
        help="simulated EEG as an LSL stream or as a recording",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--text",
        action="append",
        required=True,
        help="a-z, space, apostrophe, '.', ',' and '?'; again for a further text after a rest",
    )
    parser.add_argument("--out", type=Path, help="write this XDF file, do not stream")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument("--seed", type=int, help="of the session; random where not given")
    parser.add_argument(
        "--snr-db",
        type=float,
        default=DEFAULT_SNR_DB,
        help="power of a character's pattern over the background's in its band, mean over channels "
        "(default %(default)s; --snr-db=-inf: no pattern at all)",
    )
    parser.add_argument(
        "--name", default="eegscribe-sim", help="of the stream; markers are NAME-markers"
    )
    parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for a consumer")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    if options.seed is not None and options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    if math.isnan(options.snr_db) or options.snr_db > 100:
        raise UsageError(f"--snr-db: got {options.snr_db}, wanted decibels up to 100, or -inf")
    if not options.wait > 0:
        raise UsageError(f"--wait: got {options.wait}, wanted seconds above 0")
    seed = secrets.randbits(32) if options.seed is None else options.seed
    settings = SynthesisSettings(snr_db=options.snr_db)
    session = synthesise(options.text, seed=seed, settings=settings)
    summary: dict[str, Any] = {
        "type": "summary",
        "simulated": True,
        "seed": seed,
        "samples": len(session.samples),
        "markers": len(session.truth()),
        "duration_s": len(session.samples) / settings.rate_hz,
    }
    if options.out is not None:
        write_xdf(
            options.out,
            session,
            name=options.name,
            rate_hz=settings.rate_hz,
            overwrite=options.force,
        )
        summary["out"] = str(options.out)
    else:
        summary["worst_delay_ms"] = 1e3 * _stream(options, session, settings)
    _report(options, summary)
    return 0


def _stream(options: Namespace, session: Session, settings: SynthesisSettings) -> float:
    from runtime.paradigm import CHANNELS
    from tools.playback.offer import offer

    stamps_s = np.arange(len(session.samples)) / settings.rate_hz
    with progress("typing", total=len(session.samples)) as bar:
        sent = offer(
            session.samples,
            stamps_s,
            [(text, index / settings.rate_hz) for index, text in session.truth()],
            name=options.name,
            rate_hz=settings.rate_hz,
            channels=CHANNELS,
            with_markers=True,
            is_simulated=True,
            wait_for_markers=False,
            wait_s=options.wait,
            on_progress=bar,
        )
    return sent.worst_s


def write_xdf(
    path: Path, session: Session, *, name: str, rate_hz: float, overwrite: bool = False
) -> None:
    """Write ``session`` as a recording: EEG, and the truth as markers.

    Raises:
        RecordingError: the file exists (unless ``overwrite``), or cannot be written.
    """
    from runtime.paradigm import CHANNELS
    from runtime.recordings.xdf_writer import XdfWriter, stream_header

    writer = XdfWriter(path, overwrite=overwrite)
    try:
        eeg = writer.add_stream(
            stream_header(
                name=name,
                kind="EEG",
                rate_hz=rate_hz,
                channel_format="float32",
                channels=CHANNELS,
                unit="microvolts",
                source_id=name,
                is_simulated=True,
            ),
            channel_format="float32",
            n_channels=len(CHANNELS),
        )
        markers = writer.add_strings(f"{name}-markers", source_id=f"{name}-markers")
        stamps_s = np.arange(len(session.samples)) / rate_hz
        writer.write_samples(eeg, session.samples, stamps_s)
        truth = session.truth()
        writer.write_strings(markers, [text for _, text in truth], [k / rate_hz for k, _ in truth])
    finally:
        writer.close()


def _report(options: Namespace, summary: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(summary))
        return
    where = f"written to {options.out}" if options.out is not None else f"sent as {options.name!r}"
    print(
        f"simulated EEG, seed {summary['seed']}: {summary['samples']} samples "
        f"({summary['duration_s']:.1f} s) and {summary['markers']} markers {where}"
    )
