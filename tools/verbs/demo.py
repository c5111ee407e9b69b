"""``eegscribe demo``: a simulated headset, the daemon and a subscriber; text appears."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from runtime.paradigm import fold_text
from tools.console.bundle_argument import bundle_argument

if TYPE_CHECKING:
    from argparse import Namespace

    from tools.demo.demo_run import Demo

TEXT = "hello, i am typing with my mind. it is only a simulation."
EXAMPLE = """example:
  eegscribe demo --text "good morning, how are you?"

Everything but the person is real: LSL, filters, model, decoder, journal, ZeroMQ."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "demo",
        help="a simulated headset, the daemon and a subscriber: text appears",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--text", default=TEXT, help="a-z, space, apostrophe, '.', ',' and '?'")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.add_argument(
        "--bundle", type=bundle_argument, metavar="B", help="another bundle than the one that ships"
    )
    parser.add_argument("--seed", type=int, help="of the simulated session; random where not given")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from tools.demo.demo_run import DEMO_BUNDLE, Demo

    if options.seed is not None and options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    demo = Demo(fold_text(options.text), bundle=options.bundle or DEMO_BUNDLE, seed=options.seed)
    if options.json:
        for message in demo.messages():
            print(json.dumps(message, ensure_ascii=False), flush=True)
        print(json.dumps(demo.summary(), ensure_ascii=False))
    else:
        _show(demo)
    return 0


def _show(demo: Demo) -> None:
    """Let a person watch: finals stay, the uncommitted tail follows dimly on a terminal."""
    is_terminal = sys.stdout.isatty()
    print("A simulated person puts on a simulated headset and types:")
    print(f"  {demo.text}")
    print("The daemon, over LSL and ZeroMQ (SIMULATED EEG):")
    tail = shown = ""
    for message in demo.messages():
        if message["topic"] == "text.partial":
            tail = message["text"]
        elif message["topic"] == "text.final":
            tail = ""
            if not is_terminal:
                print(("" if shown else "  ") + message["text"], end="", flush=True)
            shown = demo.transcript
        elif message["topic"] == "event" and message["kind"] == "stream_found" and is_terminal:
            print("  (headset found)", end="", flush=True)
        if is_terminal and message["topic"].startswith("text."):
            line = demo.transcript[-70:]
            print(f"\r\x1b[K  {line}\x1b[2m{tail[-30:]}\x1b[0m", end="", flush=True)
    print()
    print_summary(demo.summary())


def print_summary(summary: dict[str, Any]) -> None:
    """Print transcript, errors and latencies as a person would want them."""
    print(f"\ntranscript  {summary['transcript']!r}")
    print(f"typed       {summary['reference']!r}")
    print(f"CER {summary['cer']:.1%}   lost samples {summary['lost_samples']}   (simulated EEG)")
    print("\nmilliseconds   p50     p99     max")
    for stage, spread in summary["latency_ms"].items():
        print(f"  {stage:10} {spread['p50']:6.2f}  {spread['p99']:6.2f}  {spread['max']:6.2f}")
