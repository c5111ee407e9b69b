"""``eegscribe bench``: a bundle on every backend of this machine, how fast and how right."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.console.bundle_argument import bundle_argument
from tools.console.trials import parse_trials

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tools.benchmarking.results import Result

EXAMPLE = """examples:
  eegscribe bench ada.eegb monday.xdf --out before
  eegscribe bench ada.eegb ada-int8.eegb --simulate --backends onnx-float32,torch-eager
  eegscribe bench ada.eegb --simulate --out after && eegscribe compare before after

B is a bundle and REC a labelled recording, in any order; --simulate hears the simulated person in
their place, and without either only the model alone is timed, on its golden windows.

backends: onnx-float32, onnx-float16, onnx-int8 (made of the bundle, ranges measured on the first
recording), onnx-cuda, onnx-tensorrt; of bundles that hold their weights also torch-eager,
torch-compiled-default, -reduce-overhead, -max-autotune, torch-export, torch-aoti. The bundle as it
is comes first, and all others are compared with it. One that is not to be had is a row that says
why. Of a network that writes symbol by symbol a call is a window and twelve symbols.

Speed: after a warm-up all take turns in blocks, in an order reversed every time. Accuracy: of the
same windows the best symbols, of the same recordings what the whole chain writes; more errors than
the bundle as it is are 'within' what --max-drop allows by their upper bound, 'BEYOND' it by their
lower bound, or nobody can tell. --out writes bench.json and pictures."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "bench",
        help="a bundle on every backend of this machine: how fast, how right",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("given", nargs="+", metavar="B|REC", help="bundles, and labelled recordings to hear")
    add("--simulate", action="store_true", help="hear the simulated person, and no recording")
    add("--backends", default="all", metavar="NAME,NAME", help="(%(default)s)")
    add("--texts", type=int, default=40, help="of the simulated person, up to 165 (%(default)s)")
    add("--trials", help="decode and score only these of each recording, such as 0-3,5")
    add("--set", action="append", default=[], metavar="decoder.KEY=VALUE", help="decoder setting")
    add("--max-drop", default="0.5%", help="errors more that are allowed, absolute (%(default)s)")
    add("--blocks", type=int, default=20, help="turns that each backend is timed (%(default)s)")
    add("--windows", type=int, default=200, help="timed in each turn (%(default)s)")
    add("--out", type=Path, metavar="FOLDER", help="bench.json, latency.png, accuracy.png")
    add("--force", action="store_true", help="replace a bench that is there")
    add("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    bundles, recordings = _sorted(options.given)
    max_drop = _share(options.max_drop)
    _check(options, bundles, recordings)
    from runtime.engine import parse_settings
    from tools.benchmarking.backends import chosen
    from tools.benchmarking.bench import Asked, bench
    from tools.benchmarking.table import table

    result = bench(
        Asked(
            bundles=tuple(bundles),
            backends=chosen(options.backends),
            paths=tuple(recordings),
            is_simulated=options.simulate,
            n_texts=options.texts,
            n_blocks=options.blocks,
            n_windows=options.windows,
            max_drop=max_drop,
            trials=parse_trials(options.trials),
            decoder=parse_settings(options.set),
        )
    )
    written = _write(result, options.out) if options.out is not None else []
    if options.json:
        _tell_json(result, written)
    else:
        print("\n".join([*table(result), *([""] if written else [])]))
        for path in written:
            print(f"wrote {path}")
    return 0


def _sorted(words: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Return bundles and recordings: a file that is no ``.eegb`` is a recording.

    Raises:
        BundleError: a bare name that is no file and not in the store.
        UsageError: there is no bundle among them.
    """
    from runtime.store import SUFFIX, find

    bundles, recordings = [], []
    for word in words:
        path = Path(word)
        is_there = path.is_file() or (path.suffix and not path.is_dir() and find(word) is None)
        if path.suffix != SUFFIX and is_there:
            recordings.append(path)
        else:
            bundles.append(bundle_argument(word))
    if not bundles:
        raise UsageError("bench: got recordings alone, wanted a bundle: an .eegb, a folder, a name")
    return bundles, recordings


def _share(text: str) -> float:
    """Return ``0.5%`` or ``0.005`` as a share of 1.

    Raises:
        UsageError: it is neither, or not more than 0 and less than 1.
    """
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = math.nan
    if not 0.0 < share < 1.0:
        raise UsageError(f"--max-drop: got {text!r}, wanted more than 0 and less than 100%")
    return share


def _check(options: Namespace, bundles: Sequence[Path], recordings: Sequence[Path]) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    from tools.packaging.output import check_out

    if options.simulate and recordings:
        raise UsageError("bench: wanted either recordings or --simulate")
    if options.trials is not None and not recordings:
        raise UsageError("--trials: are of recordings, and none is given")
    for name, least in (("texts", 1), ("blocks", 2), ("windows", 2)):
        if getattr(options, name) < least:
            raise UsageError(f"--{name}: got {getattr(options, name)}, wanted {least} or more")
    if options.out is None:
        return
    for bundle in bundles:
        check_out(options.out, parent=bundle, is_forced=True)
    from tools.benchmarking.results import is_result

    is_empty = not options.out.exists() or (options.out.is_dir() and not any(options.out.iterdir()))
    if not is_empty and not (options.force and is_result(options.out)):
        raise UsageError(
            f"--out {options.out}: exists already, wanted a new folder, or --force over a bench"
        )


def _write(result: Result, folder: Path) -> list[Path]:
    """Write the result, whole, and its pictures."""
    from runtime.whole_file import write_whole
    from tools.benchmarking.plots import plot
    from tools.benchmarking.results import FILE, encode

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE, encode(result), is_private=True)
        return [folder / FILE, *plot(result, folder)]
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written ({error.strerror})") from None


def _tell_json(result: Result, written: Sequence[Path]) -> None:
    """Print a line for each row, and the summary."""
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(result)
    for row in told.pop("rows"):
        print(json.dumps({"type": "row"} | row))
    rows = [
        {
            "bundle": row.bundle,
            "backend": row.backend,
            "missing": row.missing,
            "p50_ms": row.call_ms.p50 if row.call_ms else None,
            "p99_ms": row.call_ms.p99 if row.call_ms else None,
            "error": row.accuracy.error if row.accuracy else None,
            "drop": row.accuracy.verdict if row.accuracy else None,
        }
        for row in result.rows
    ]
    summary = {"type": "summary", "out": [str(path) for path in written], "rows": rows}
    print(json.dumps(summary | told))
