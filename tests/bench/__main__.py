"""``make bench``: every measurement, or those named, with the machine they were taken on.

make bench                          all of them, at full length (about an hour)
make bench ARGS=--quick             a short look at each
make bench ARGS='latency start'     some
make bench ARGS=--list              their names
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.command import RESULTS, write_json
from tools.host import machine

BENCHES = {
    "latency": "sample pushed into LSL to message at a subscriber, beside two peers",
    "start": "process start, first window, resident memory, modules loaded",
    "replay": "recordings at full speed, and how many streams two cores carry",
    "streams": "32 headsets on real LSL into one daemon",
    "filter": "the filter stage and the ring, beside scipy, a Python loop and np.roll",
    "profiling": "what the daemon's profile costs: off, on, tracing",
    "journal": "a final on disk, full and normal",
    "lexicon": "words from phonemes: a frame, and the word error rate beside the character beam",
    "speech": "the published speech network: 512 features over LSL, words out of 20 000",
    "beam": "microseconds a frame of the beam search, beside a pure-Python one",
    "context": "a decode against how much past there is: state carried, or all done again",
    "snr": "character error rate against signal-to-noise",
    "ssvep": "the calibrated speller on real recordings, leave one run out",
    "verdict": "how often the evaluator is wrong, on made-up outputs",
    "store": "a bundle by its name or digest among 10 to 10 000; installs that are killed",
    "prune": "what pruning takes off a simulated CTC model, and what it costs",
    "quantize": "GRUs of fewer bits beside torch and ONNX Runtime in float32: size and time",
    "optimize": "a GRU and a transformer made smaller and faster than torch, each step's share",
    "classifiers": "EEG networks beside the closed forms, SSVEP and P300, same splits",
}
ALIASES = {"throughput": "replay"}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    listed = "\n".join(f"  {name:9} {what}" for name, what in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        epilog=f"benches:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*BENCHES, *ALIASES]
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; without any, all")
    parser.add_argument("--quick", action="store_true", help="a short run: a look, no figure")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--json", type=Path, help="where the figures go (bench-results/TIME.json)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in names]
    if unknown:
        parser.error(f"no bench {unknown[0]!r}, wanted some of {', '.join(BENCHES)}")
    options.names = [ALIASES.get(name, name) for name in options.names] or list(BENCHES)
    return options


def main() -> int:
    """Run the benches; a failed one is told at the end and makes the exit code 1."""
    options = parse()
    if options.list:
        print("\n".join(f"{name:9} {what}" for name, what in BENCHES.items()))
        return 0
    described = machine.describe()
    print(machine.show(described), end="\n\n", flush=True)
    path = options.json or RESULTS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    document: dict[str, Any] = {"machine": described, "quick": options.quick, "benches": {}}
    failed = []
    for name in options.names:
        print(f"== {name}: {BENCHES[name]}\n", flush=True)
        began_s = time.monotonic()
        try:
            figures = import_module(f"tests.bench.bench_{name}").run(quick=options.quick)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the other benches still run
            failed.append(f"{name}: {error}")
            print(f"FAILED {error}\n", file=sys.stderr, flush=True)
            figures = {"error": str(error)}
        seconds = round(time.monotonic() - began_s, 1)
        document["benches"][name] = {"seconds": seconds, "load": machine.load(), **figures}
        write_json(path, document)
    print(f"figures in {path}")
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
