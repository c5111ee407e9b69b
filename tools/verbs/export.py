"""``eegscribe export``: a bundle's network in another format or precision, proven equal."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument

if TYPE_CHECKING:
    from argparse import Namespace

    import numpy as np
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.model import Model

FORMATS = ("onnx-float32", "onnx-float16", "pt2", "aoti", "tensorrt")

COMPUTED = {
    "all": "weights, and all that is computed but delicate operators",
    "products": "weights, products and recurrent layers; more would not have been equal",
    "stored": "weights as they are stored; computing so would not have been equal",
}

EXAMPLE = """examples:
  eegscribe export speller.eegb --format onnx-float16 --recordings run3.xdf --out half.eegb
  eegscribe export speller.eegb --format onnx-float32 --optimise extended --out fused.eegb
  eegscribe export speller.eegb --format aoti --out speller.pt2

onnx-float32, onnx-float16: a bundle that the daemon runs. Constants are folded, batch norms go into
  convolutions; nothing is bound to this machine. In float16 weights take half the space, while
  states, logarithms and sums stay in float32; on most processors it is no faster.
pt2, aoti: files of PyTorch, the second compiled for this machine by a C++ compiler; the bundle must
  hold its weights. Of an encoder-decoder they hold the encoder.
tensorrt: engines for the GPU of this machine, in a folder. What the daemon runs stays ONNX.

Nothing is written unless what is read back gives what the bundle gives, on windows of --recordings,
or else on its golden ones: float32 within 1e-4 of every probability, float16 within 1e-2 and the
same best symbol in 99 % of rows that tell their best two apart. FILE.json tells digests, parity and
speed of what is no bundle."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "export",
        help="a bundle's network in another format or precision, proven equal",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("bundle", type=bundle_argument, metavar="B", help=BUNDLE_HELP)
    add("--format", choices=FORMATS, required=True)
    add("--out", type=Path, required=True, metavar="FILE", help="what to write")
    add("--recordings", type=Path, nargs="+", default=[], metavar="REC", help="for parity, speed")
    add(
        "--optimise",
        choices=("none", "basic", "extended"),
        default="basic",
        help="of onnx graphs (%(default)s)",
    )
    add("--blocks", type=int, default=20, metavar="N", help="of timing; 0 for none (%(default)s)")
    add("--name", help="of the bundle (that of the one given)")
    add("--force", action="store_true", help="replace what is there")
    add("--json", action="store_true", help="one line of JSON, the summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from models.bundle import load_bundle
    from runtime.engine import open_engine
    from tools.packaging.output import check_out
    from tools.packaging.real_windows import golden_windows, recorded_windows

    if options.blocks < 0:
        raise UsageError(f"--blocks: got {options.blocks}, wanted 0 or more")
    check_out(options.out, parent=options.bundle, is_forced=options.force)
    engine = open_engine(options.bundle)
    bundle = load_bundle(options.bundle, pinned_sha256=engine.bundle.sha256)
    windows = (
        recorded_windows(engine, options.recordings)
        if options.recordings
        else golden_windows(bundle)
    )
    if options.format.startswith("onnx-"):
        summary = _bundle(options, bundle, windows)
    else:
        summary = _file(options, bundle, windows)
    summary |= {"type": "summary", "out": str(options.out), "format": options.format}
    if options.json:
        print(json.dumps(summary))
    else:
        _tell(options, summary)
    return 0


def _bundle(options: Namespace, parent: Bundle, windows: NDArray[np.float32]) -> dict[str, Any]:
    import msgspec

    from models.bundle import write_bundle
    from models.onnx_backend import OnnxModel, open_session
    from tools.packaging.export_bundle import remake

    made = remake(
        parent,
        windows,
        precision="float16" if options.format == "onnx-float16" else "float32",
        level=options.optimise,
        name=options.name or parent.manifest.name,
    )
    own = OnnxModel(open_session(parent), parent.manifest.model)
    speed = _speed(own, made.model, windows, options.blocks)
    done = made.manifest.optimisation
    if speed:
        done = msgspec.structs.replace(done, latency_ms=speed["exported_ms"])
    manifest = msgspec.structs.replace(made.manifest, optimisation=done)
    before = parent.files[parent.manifest.model.path]
    return {
        "sha256": write_bundle(options.out, manifest, made.files),
        "parent": parent.sha256,
        "difference": made.parity.difference,
        "agreement": made.parity.agreement,
        "tolerance": made.parity.tolerance,
        "windows": made.parity.n_windows,
        "size_bytes": len(made.files[manifest.model.path]),
        "size_bytes_before": len(before),
        "in_16_bit": made.how,
        "batch_norms": made.n_norms[1],
        "batch_norms_before": made.n_norms[0],
        "speed": speed,
    }


def _file(options: Namespace, bundle: Bundle, windows: NDArray[np.float32]) -> dict[str, Any]:
    from tools.packaging.export_file import write_file

    def time_it(own: Model, other: Model) -> dict[str, Any]:
        return _speed(own, other, windows, options.blocks)

    told, parity = write_file(bundle, options.format, windows, options.out, time_it=time_it)
    return {
        "parent": bundle.sha256,
        "difference": parity.difference,
        "tolerance": parity.tolerance,
        "windows": parity.n_windows,
        "size_bytes": sum(file["size"] for file in told["files"].values()),
        "size_bytes_before": len(bundle.files[bundle.manifest.model.path]),
        "speed": told["speed"],
    }


def _speed(own: Model, other: Model, windows: NDArray[np.float32], n_blocks: int) -> dict[str, Any]:
    """Return milliseconds a call of both, by turns, and their ratio; nothing for no blocks."""
    from tools.compression.timing import percentiles_ms, ratio, time_blocks

    if not n_blocks:
        return {}
    taken = time_blocks({"given": own, "exported": other}, windows, n_blocks=n_blocks)
    found = ratio(taken["exported"], taken["given"])
    return {
        "given_ms": percentiles_ms(taken["given"]),
        "exported_ms": percentiles_ms(taken["exported"]),
        "p50_ratio": found.p50,
        "p99_ratio": found.p99,
        "p99_ratio_high": found.p99_high,
        "blocks": n_blocks,
    }


def _tell(options: Namespace, told: dict[str, Any]) -> None:
    print(
        f"{options.out}: the same within {told['difference']:.2g} on {told['windows']} windows"
        f" ({'recorded' if options.recordings else 'golden'}; {told['tolerance']:g} is allowed)"
    )
    print(f"  {told['size_bytes_before']} bytes -> {told['size_bytes']}")
    if told.get("in_16_bit"):
        print(f"  in 16 bit: {COMPUTED[told['in_16_bit']]}")
    if told.get("batch_norms_before"):
        print(f"  batch norms: {told['batch_norms_before']} -> {told['batch_norms']}")
    speed = told["speed"]
    if speed:
        given, exported = speed["given_ms"], speed["exported_ms"]
        print(
            f"  p50 {given['p50']:.3f} -> {exported['p50']:.3f} ms,"
            f" p99 {given['p99']:.3f} -> {exported['p99']:.3f} ms, by turns, one thread"
        )
        high = speed["p99_ratio_high"]
        verdict = "is faster" if high < 1 else "is not shown to be faster"
        print(f"  {verdict}: p99 ratio {speed['p99_ratio']:.2f}, at most {high:.2f} (95 %)")
    if "sha256" in told:
        print(f"  sha256 {told['sha256']}; not evaluated: evaluate it as any other bundle")
