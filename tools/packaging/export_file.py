"""Formats that are no bundle: written beside it, whole, with a copy of what they were made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from models.onnx_backend import OnnxModel, open_session
from pipeline.errors import UsageError
from runtime.whole_file import write_whole
from tools.console.command import command
from tools.console.version import versions
from tools.packaging.same_output import TOLERANCES, Parity, compare, outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.model import Model

Format = Literal["pt2", "aoti", "tensorrt"]
SUFFIX = ".pt2"
TENSORRT_TOLERANCE = TOLERANCES["float16"]
"""TensorRT computes in TF32 where it may."""


def write_file(
    bundle: Bundle,
    format_: Format,
    windows: NDArray[np.float32],
    out: Path,
    *,
    time_it: Callable[[Model, Model], dict[str, Any]],
) -> tuple[dict[str, Any], Parity]:
    """Write ``out`` and ``out.json`` once the file, read back, gives what the bundle gives.

    Raises:
        UsageError: ``out`` has a suffix that the format cannot have.
        BundleError: the bundle holds no weights.
        ToolchainError: this machine lacks what the format needs.
        ParityError: what was read back gives something else.
    """
    if format_ != "tensorrt" and out.suffix != SUFFIX:
        raise UsageError(f"--out {out}: wanted a name that ends in {SUFFIX} for --format {format_}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
        made = Path(name) / out.name
        model = _write(bundle, format_, made)
        own = OnnxModel(open_session(bundle), bundle.manifest.model)
        parity = compare(
            outputs(own, windows),
            outputs(model, windows),
            tolerance=TENSORRT_TOLERANCE if format_ == "tensorrt" else TOLERANCES["float32"],
            is_memory=bundle.manifest.step is not None,
            where=f"--format {format_}",
        )
        speed = time_it(own, model)
        files = [made] if made.is_file() else sorted(p for p in made.rglob("*") if p.is_file())
        told = _told(bundle, format_, files, made.parent, parity, speed)
        for file in files:
            with file.open("rb+") as written:
                os.fsync(written.fileno())
        if out.is_dir():
            shutil.rmtree(out)
        made.replace(out)
    note = out.with_name(f"{out.name}.json")
    write_whole(note, json.dumps(told, indent=1).encode() + b"\n")
    return told, parity


def _write(bundle: Bundle, format_: Format, path: Path) -> Model:
    from tools.packaging import tensorrt_cache, torch_forms

    if format_ == "pt2":
        return torch_forms.write_pt2(bundle, path)
    if format_ == "aoti":
        return torch_forms.write_aoti(bundle, path)
    path.mkdir()
    return tensorrt_cache.write_engines(bundle, path)


def _told(
    bundle: Bundle,
    format_: Format,
    files: list[Path],
    folder: Path,
    parity: Parity,
    speed: dict[str, Any],
) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "format": format_,
        "files": {
            str(file.relative_to(folder)): {
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "size": file.stat().st_size,
            }
            for file in files
        },
        "bundle": {"name": manifest.name, "sha256": bundle.sha256},
        "input": msgspec.to_builtins(manifest.model.input),
        "output": msgspec.to_builtins(manifest.model.output),
        "state": msgspec.to_builtins(manifest.model.state),
        "parity": {
            "windows": parity.n_windows,
            "difference": parity.difference,
            "tolerance": parity.tolerance,
        },
        "speed": speed,
        "command": command(),
        "versions": versions(("eegscribe", "torch", "numpy")),
    }
