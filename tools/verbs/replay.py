"""``eegscribe replay``: a recording through the chain, or over LSL to a running daemon."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.markers import PAUSE, RESUME
from pipeline.spec import SelectionDecoder
from runtime.wire.messages import Final, as_object, canonical, is_canonical, topic_of
from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument
from tools.console.progress import progress
from tools.console.trials import check_trials, count_trials, parse_trials

if TYPE_CHECKING:
    from argparse import Namespace

    from runtime.wire.messages import Message
    from tools.playback.replay import Replay

EXAMPLE = """examples:
  eegscribe replay session.xdf --bundle speller.eegb --json
  eegscribe replay session.xdf --through lsl --name bench1"""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "replay",
        help="a recording through the same chain, or over LSL to a running daemon",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("recording", type=Path, help="XDF, FIF, EDF, BDF, BrainVision or EEGLAB")
    parser.add_argument("--bundle", type=bundle_argument, metavar="B", help=BUNDLE_HELP)
    parser.add_argument("--speed", default=None, help="max (the default with a bundle) or a factor")
    parser.add_argument("--canonical", action="store_true", help="what every replay must repeat")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.add_argument("--trials", help="decode and score only these, such as 0-3,5")
    parser.add_argument(
        "--set", action="append", default=[], metavar="decoder.KEY=VALUE", help="a decoder setting"
    )
    parser.add_argument("--providers", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"))
    parser.add_argument("--every-decode", action="store_true", help="a partial for every decode")
    lsl = parser.add_argument_group("over LSL")
    lsl.add_argument("--through", choices=("lsl",), help="offer it to a running daemon")
    lsl.add_argument("--name", help="name of the outlet; markers are NAME-markers")
    lsl.add_argument("--wait", type=float, default=30.0, help="seconds to wait for a consumer")
    lsl.add_argument("--labels", action="store_true", help="send label: and text: markers too")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    speed = _speed(options.speed)
    if options.through == "lsl":
        return _offer(options, 1.0 if options.speed is None else speed)
    if options.bundle is None:
        raise UsageError("replay: no --bundle given, wanted one (or --through lsl)")
    return _replay(options, speed)


def _speed(text: str | None) -> float | None:
    if text in {None, "max"}:
        return None
    try:
        speed = float(text or "")
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise UsageError(f"--speed: got {text!r}, wanted max or a number above 0")
    return speed


def _offer(options: Namespace, speed: float | None) -> int:
    from tools.playback.replay_lsl import offer_over_lsl

    if options.trials is not None or options.set:
        raise UsageError("--through lsl: decodes nothing, wanted no --trials and no --set")
    if speed is None:
        raise UsageError("--speed max: an LSL stream has a pace, wanted a number")
    if not options.wait > 0:
        raise UsageError(f"--wait: got {options.wait}, wanted seconds above 0")
    name = options.name or options.recording.stem
    with progress("sending") as bar:
        sent = offer_over_lsl(
            options.recording,
            name=name,
            speed=speed,
            wait_s=options.wait,
            labels=options.labels,
            on_progress=bar,
        )
    if sent.unheard:
        print(
            f"eegscribe: nobody listened to the markers of {name!r}; does the daemon's"
            " configuration name a marker stream?",
            file=sys.stderr,
        )
    if options.json:
        summary = {"samples_sent": sent.samples_sent, "markers_sent": sent.markers_sent}
        print(json.dumps({"type": "summary", **summary}))
    else:
        print(f"samples_sent {sent.samples_sent}\nmarkers_sent {sent.markers_sent}")
    return 0


def _replay(options: Namespace, speed: float | None) -> int:
    from runtime.config import PAUSE_MARKER, RESUME_MARKER
    from runtime.engine import open_engine, parse_settings
    from runtime.recordings.raw import RecordedRun
    from runtime.recordings.source import RecordingSource
    from tools.playback.replay import Replay

    trials = parse_trials(options.trials)
    engine = open_engine(
        options.bundle, providers=options.providers, decoder=parse_settings(options.set)
    )
    if trials is not None and not isinstance(engine.spec.decoder, SelectionDecoder):
        raise UsageError(
            f"--trials: the bundle {engine.bundle.manifest.name!r} reads running text, which has no"
            " trials; wanted a bundle that selects"
        )
    source = RecordingSource(options.recording, channels=engine.spec.channels)
    info = source.open(None)
    run = source.run or RecordedRun(
        stream=info.name,
        pause_marker=PAUSE_MARKER,
        resume_marker=RESUME_MARKER,
        channels={},
        every_decode=False,
    )
    names = {**engine.spec.markers, run.pause_marker: PAUSE, run.resume_marker: RESUME}
    n_trials = count_trials((marker.text for marker in source.markers), names)
    check_trials(trials, n_trials=n_trials, where=str(options.recording))
    replay = Replay(
        engine,
        source,
        info,
        stream=run.stream,
        trials=trials,
        speed=speed,
        every_decode=options.every_decode or run.every_decode,
        marker_names={run.pause_marker: PAUSE, run.resume_marker: RESUME},
    )
    with progress("replaying", total=getattr(source, "n_samples", None)) as bar:
        for message in replay.messages(bar):
            _show(message, options)
    summary = replay.summary()
    if options.json:
        print(json.dumps(summary))
    elif not options.canonical:
        print_summary(replay, summary)
    return 0


def _show(message: Message, options: Namespace) -> None:
    if options.canonical:
        if is_canonical(message):
            print(canonical(message))
    elif options.json:
        print(json.dumps({"topic": topic_of(message), **as_object(message)}, ensure_ascii=False))
    elif isinstance(message, Final):
        print(message.text, end="", flush=True)


def print_summary(replay: Replay, summary: dict[str, Any]) -> None:
    """Print what a person wants to know after a replay."""
    print()
    lines = [f"transcript  {summary['transcript'][-1000:]!r}"]
    if summary["reference"] is not None:
        lines.append(f"reference   {summary['reference'][-1000:]!r}")
        lines.append(f"CER {_percent(summary['cer'])}   WER {_percent(summary['wer'])}")
    symbols = summary["symbols"]
    if symbols is not None:
        chance = 1.0 / len(replay.engine.spec.vocabulary)
        share = symbols["correct"] / symbols["total"]
        rate = summary["itr_bits_per_min"]
        lines.append(
            f"symbols     {symbols['correct']} of {symbols['total']} right ({share:.1%}; chance"
            f" {chance:.1%}), {symbols['abstained']} abstained"
            + (f"; {rate:.1f} bit/min" if rate is not None else "")
        )
    lines.append(
        f"{replay.n_samples} samples, {summary['lost_samples']} lost,"
        f" {summary['realtime_factor']:.0f} times real time"
        f"{'   (SIMULATED EEG)' if replay.info.is_simulated else ''}"
    )
    total = summary["latency_ms"].get("total")
    if total:
        lines.append(f"a decode takes {total['p50']:.2f} ms (p50), {total['p99']:.2f} ms (p99)")
    print("\n".join(lines), file=sys.stdout)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"
