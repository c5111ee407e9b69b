"""``eegscribe profile``: where a bundle's time and memory go, by layer and by stage."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument
from tools.packaging.output import check_writable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tools.profiling.report import Report

EXAMPLE = """examples:
  eegscribe profile ada.eegb run4.xdf
  eegscribe profile ada.eegb ada-int8.eegb run4.xdf --out profile
  eegscribe profile ada.eegb run4.xdf --cprofile --torch --out profile

By layer: parameters, operations (a multiplication and an addition are two) and ONNX Runtime's own
times. With a recording, by stage: filter, model, decode, publish, other, as the daemon has them, a
hop at a time. Journal, ZeroMQ and LSL are the daemon's and are not in it.
--out keeps profile.json, profile.txt, ONNX Runtime's traces (B.model.json), and what --cprofile
(B.pstats) and --torch (B.torch.json, B.torch.txt) give. Traces open in Chrome's or Perfetto's
viewer, .pstats in snakeviz and the like.
"""

REPORT, TEXT = "profile.json", "profile.txt"


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "profile",
        help="where time and memory go: by layer, by stage, beside other bundles",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("bundles", nargs="+", metavar="B", help=f"{BUNDLE_HELP}; several are compared")
    add("recording", nargs="?", metavar="REC", help="XDF and what replay reads, after the bundles")
    add("--seconds", type=float, help="of the recording's beginning; all of it")
    add("--batches", default="1,8,32", metavar="N,…", help="windows together (%(default)s)")
    add("--blocks", type=int, default=20, help="turns that each bundle is timed (%(default)s)")
    add("--windows", type=int, default=200, help="timed in each turn (%(default)s)")
    add("--providers", default="auto", choices=("auto", "cpu", "cuda", "tensorrt"))
    add("--out", type=Path, metavar="FOLDER", help="keep the report and all traces there")
    add("--force", action="store_true", help="replace a profile that is there")
    add("--cprofile", action="store_true", help="the replay once more under cProfile")
    add("--torch", action="store_true", help="the network in torch under torch's profiler")
    add("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    bundles, recording = sort_out([*options.bundles, *filter(None, [options.recording])])
    batches = _check(options, recording)
    from tools.profiling.profile import Asked, Profiling

    profiling = Profiling(
        Asked(
            bundles=bundles,
            recording=recording,
            seconds=options.seconds,
            providers=options.providers,
            batches=batches,
            n_blocks=options.blocks,
            n_windows=options.windows,
            folder=options.out,
            with_python=options.cprofile,
            with_torch=options.torch,
        )
    )
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    before = _files_in(options.out)
    report = profiling.run()
    text = _text(report, profiling.said)
    if options.out is not None:
        report = _write(options.out, report, text, before)
    if options.json:
        _print_json(report)
    else:
        print(text)
        if options.out is not None:
            print(f"{options.out}: {', '.join(report.files)}")
    return 0


def sort_out(words: Sequence[str]) -> tuple[tuple[Path, ...], Path | None]:
    """Return the bundles, and the recording if one is named: it is known by its suffix.

    Raises:
        UsageError: no bundle, or several recordings.
        BundleError: a name that is not in the store.
    """
    from runtime.recordings.source import SUFFIXES

    recordings = [word for word in words if word.lower().endswith(SUFFIXES)]
    bundles = [word for word in words if word not in recordings]
    if not bundles:
        raise UsageError(f"profile: got {words[0]}, a recording, wanted a bundle before it")
    if len(recordings) > 1:
        raise UsageError(f"profile: got {len(recordings)} recordings, wanted one at most")
    return tuple(map(bundle_argument, bundles)), Path(recordings[0]) if recordings else None


def _check(options: Namespace, recording: Path | None) -> tuple[int, ...]:
    """Return the batch sizes; refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    for name in ("cprofile", "torch"):
        if getattr(options, name) and options.out is None:
            raise UsageError(f"--{name}: wanted --out FOLDER for its files")
    if options.cprofile and recording is None:
        raise UsageError("--cprofile: profiles the chain, wanted a recording")
    if options.seconds is not None:
        if recording is None:
            raise UsageError("--seconds: is of a recording, wanted one")
        if not (math.isfinite(options.seconds) and options.seconds > 0):
            raise UsageError(f"--seconds: got {options.seconds}, wanted more than 0")
    for name in ("blocks", "windows"):
        if getattr(options, name) < 2:
            raise UsageError(f"--{name}: got {getattr(options, name)}, wanted 2 or more")
    if options.out is not None and not options.force and (options.out / REPORT).exists():
        raise UsageError(f"--out {options.out}: holds a profile, wanted another place or --force")
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out}: is a file, wanted a folder")
    if options.out is not None:
        check_writable(options.out / REPORT)
    try:
        batches = tuple(sorted({int(text) for text in options.batches.split(",")}))
    except ValueError:
        batches = (0,)
    if not all(1 <= n <= 4096 for n in batches):
        raise UsageError(f"--batches: got {options.batches!r}, wanted numbers of 1 to 4096")
    return batches


def _text(report: Report, said: dict[str, list[str]]) -> str:
    from tools.profiling.table import lines

    parts = [line for title, printed in said.items() for line in (title, *printed, "")]
    return "\n".join([*parts, *lines(report)])


def _files_in(folder: Path | None) -> dict[str, int]:
    """Return when each file of ``folder`` was last written."""
    files = [] if folder is None else [path for path in folder.iterdir() if path.is_file()]
    return {path.name: path.stat().st_mtime_ns for path in files}


def _write(folder: Path, report: Report, text: str, before: dict[str, int]) -> Report:
    """Write text and report, which names what is new since ``before``."""
    from msgspec.structs import replace

    from runtime.whole_file import write_whole
    from tools.profiling.report import encode

    write_whole(folder / TEXT, f"{text}\n".encode())
    names = {n for n, at in _files_in(folder).items() if before.get(n) != at} | {REPORT}
    report = replace(report, files=tuple(sorted(names)))
    write_whole(folder / REPORT, encode(report))
    return report


def _print_json(report: Report) -> None:
    import msgspec

    whole = msgspec.to_builtins(report)
    for profile in whole.pop("profiles"):
        print(json.dumps({"type": "profile", **profile}, ensure_ascii=False))
    summary = {
        profile.name: {
            "bottleneck": msgspec.to_builtins(profile.bottleneck),
            "parameters": profile.model.parameters,
            "flops_a_hop": profile.model.flops_a_hop,
            "size_bytes": profile.model.size_bytes,
            "resident_bytes": profile.model.footprint.open_bytes,
            "latency_ms": profile.model.latency_ms,
        }
        for profile in report.profiles
    }
    print(json.dumps({"type": "summary", **whole, "bundles": summary}, ensure_ascii=False))
