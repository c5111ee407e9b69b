"""From somebody's ONNX file to a bundle: fixed, wrapped, run beside the original, then written."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from models.bundle import Bundle, write_bundle
from models.golden import GOLDEN, draw_tokens, run_steps, run_windows, write_golden
from models.manifest import FORMAT_VERSION, Manifest, ModelFile, Optimisation, Provenance
from models.onnx_backend import OnnxModel, open_session
from models.onnx_layout import SINGLE, Foreign, Kind, fix_shapes, wrap
from models.onnx_seq2seq import OnnxStepper, open_step_session
from models.tolerances import LOOSEST, Precision
from pipeline.errors import BundleError, UsageError
from pipeline.plain_text import shown
from pipeline.spec import EventWindow
from tools.console.command import command, now
from tools.console.version import versions
from tools.packaging.foreign_model import Opened, RawModel, parity
from tools.packaging.foreign_pipeline import window_samples
from tools.packaging.foreign_step import make_step

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.model import Model
    from pipeline.spec import PipelineSpec

N_GOLDEN = 8
N_PARITY = 24
N_STEPS = 8
MAX_WINDOW = 4_000_000
MAX_SAMPLES = 1_000_000
LOUD = 20.0
README = """# {name}

Made of `{file}`, an ONNX file of somebody else's{producer}, by `eegscribe import-onnx`. Its
input and output were put into our layout; nothing else in it was changed. Whether it reads EEG is
not known until it is evaluated.
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """The file, and how it was said to be called."""

    file: str
    input_axes: tuple[str, ...]
    output_axes: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class ForeignStep:
    """The step decoder's file, its caches, and what its ``log_probs`` are."""

    opened: Opened
    file: str
    caches: tuple[tuple[str, str], ...]
    kind: Kind
    max_symbols: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written; ``difference`` is the largest of a log from the model as it came."""

    sha256: str
    manifest: Manifest
    difference: float


def import_model(
    opened: Opened,
    spec: PipelineSpec,
    foreign: Foreign,
    *,
    origin: Origin,
    name: str,
    out: Path,
    step: ForeignStep | None = None,
) -> Imported:
    """Write the bundle; ``step`` is the step decoder of a ``seq2seq`` head.

    Raises:
        BundleError: the model is not what it was said to be, or the bundle would be refused.
    """
    fixed = copy.deepcopy(opened.proto)
    shapes: dict[str, tuple[int, ...]] = {foreign.input: foreign.input_shape}
    for state, _ in foreign.states:
        shapes[state] = _state_shape(state, opened, foreign)
    fix_shapes(fixed, shapes)
    raw = RawModel(
        fixed.SerializeToString(),
        foreign,
        where=origin.file,
        takes_doubles=_takes_doubles(fixed, foreign.input),
    )
    windows = _windows(spec)
    raw.check_repeats(windows[0])
    for state, following in foreign.states:
        if raw.shapes[following] != shapes[state]:
            raise BundleError(
                f"{origin.file}: state {following} is of shape {raw.shapes[following]},"
                f" wanted that of {state}, {shapes[state]}"
            )
    raw.check_kind(windows)
    _check_columns(raw, spec, foreign, origin.file)
    file = wrap(fixed, foreign, raw.shapes)
    precision = _precision(fixed)
    tolerance = LOOSEST[precision]
    file = msgspec.structs.replace(file, precision=precision, golden_tolerance=tolerance)
    files = {file.path: fixed.SerializeToString()}
    manifest = _manifest(opened, spec, file, origin=origin, name=name)
    if step is not None:
        manifest = _with_step(manifest, step, file, files)
    bundle = Bundle(manifest, "", files)
    model = OnnxModel(open_session(bundle), file)
    difference = parity(
        raw,
        model,
        windows,
        precision=precision,
        is_memory=foreign.kind == "memory",
        where=origin.file,
    )
    _check_checkpoints(model, spec, windows, origin.file)
    golden = windows[:N_GOLDEN]
    found = run_windows(model, golden)
    steps = None
    if manifest.step is not None:
        stepper = OnnxStepper(open_step_session(bundle), manifest.step, file)
        tokens = draw_tokens(stepper, n=len(found), n_steps=N_STEPS)
        steps = run_steps(stepper, found, tokens)
    files[GOLDEN] = write_golden(golden, found, steps)
    producer = _told(opened.proto.producer_name)
    readme = README.format(
        name=name, file=origin.file, producer=f" (made by {producer})" if producer else ""
    )
    files["README.md"] = readme.encode()
    return Imported(write_bundle(out, manifest, files), manifest, difference)


def _with_step(
    manifest: Manifest, step: ForeignStep, file: ModelFile, files: dict[str, bytes]
) -> Manifest:
    """Return the manifest with its step decoder, whose file goes to the others."""
    data, made = make_step(
        step.opened,
        caches=step.caches,
        memory=file.output.shape,
        n_symbols=len(manifest.pipeline.vocabulary),
        max_symbols=step.max_symbols,
        kind=step.kind,
        where=step.file,
    )
    files[made.path] = data
    known = {**manifest.provenance.data, **step.opened.digests}
    provenance = msgspec.structs.replace(manifest.provenance, data=known)
    return msgspec.structs.replace(manifest, step=made, provenance=provenance)


def _windows(spec: PipelineSpec) -> NDArray[np.float32]:
    """Return random windows, quiet and loud by turns.

    Raises:
        UsageError: a window of more numbers than can be tried.
    """
    shape = (N_PARITY, window_samples(spec), len(spec.bands) * len(spec.channels))
    if not 0 < shape[1] * shape[2] <= MAX_WINDOW:
        raise UsageError(
            f"--pipeline: a window of {shape[1]} samples of {shape[2]} inputs, wanted 1 to"
            f" {MAX_WINDOW} numbers"
        )
    drawn = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    drawn[1::2] *= LOUD
    return drawn


def _state_shape(name: str, opened: Opened, foreign: Foreign) -> tuple[int, ...]:
    """Return the shape of a state; an axis that is free is the batch's, if it has that one's name.

    Raises:
        BundleError: another axis is free.
    """
    batch = opened.shapes[foreign.input][foreign.input_axes.index("batch")]
    shape: list[int] = []
    for size in opened.shapes[name]:
        if isinstance(size, int):
            shape.append(size)
        elif size and size == batch:
            shape.append(1)
        else:
            raise BundleError(
                f"state {name}: got shape {opened.shapes[name]}, wanted sizes that are fixed"
                " (but for the batch)"
            )
    return tuple(shape)


def _check_columns(raw: RawModel, spec: PipelineSpec, foreign: Foreign, where: str) -> None:
    """Refuse a model with other outputs than the vocabulary has symbols.

    Raises:
        BundleError: says both numbers.
    """
    n_columns = raw.newest.shape[1]
    if foreign.has_odds:
        if n_columns not in {1, 2}:
            raise BundleError(
                f"{where}: gives {n_columns} numbers a stimulus, wanted 1, or 2 with the target's"
                " second"
            )
    elif foreign.kind != "memory" and n_columns != len(spec.vocabulary):
        raise BundleError(
            f"{where}: gives {n_columns} symbols, the vocabulary has {len(spec.vocabulary)}"
        )


def _check_checkpoints(
    model: Model, spec: PipelineSpec, windows: NDArray[np.float32], where: str
) -> None:
    """Refuse a model whose early scores hear later samples.

    Raises:
        BundleError: names the checkpoint.
    """
    if not isinstance(spec.window, EventWindow):
        return
    for row, length in enumerate(spec.window.checkpoints_samples[:-1]):
        cut = windows[0].copy()
        cut[length:] = 0.0
        whole, heard = model.run(windows[0]).copy(), model.run(cut).copy()
        if row < len(whole) and not np.allclose(whole[row], heard[row], atol=1e-4):
            raise BundleError(
                f"{where}: row {row} of its output depends on samples after {length},"
                " the checkpoint that it is for"
            )


def _takes_doubles(model: Any, name: str) -> bool:
    from onnx import TensorProto

    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    return bool(types[name] == TensorProto.DOUBLE)


def _precision(model: Any) -> Precision:
    """Return in what the model computes, by its weights and operators."""
    from onnx import TensorProto

    if any("Integer" in node.op_type or "Quantize" in node.op_type for node in model.graph.node):
        return "int8"
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    return "float16" if TensorProto.FLOAT16 in kinds else "float32"


def _manifest(
    opened: Opened, spec: PipelineSpec, file: ModelFile, *, origin: Origin, name: str
) -> Manifest:
    proto = opened.proto
    opsets = {opset.domain or "ai.onnx": opset.version for opset in proto.opset_import}
    told = {
        "producer": _told(proto.producer_name),
        "producer_version": _told(proto.producer_version),
        "opsets": opsets,
        "input_layout": ",".join(origin.input_axes),
        "output_layout": ",".join(origin.output_axes),
        "output_kind": origin.kind,
    }
    return Manifest(
        format_version=FORMAT_VERSION,
        name=name,
        created=now(),
        pipeline=spec,
        model=file,
        files={},
        provenance=Provenance(
            command=command(),
            versions=versions(("eegscribe", "onnx")),
            data=dict(opened.digests),
            recipe={"foreign": told},
        ),
        optimisation=Optimisation(precision=file.precision, size_bytes=proto.ByteSize()),
    )


def _told(found: str | bytes) -> str:
    """Return what a file says of itself; bytes are what was no UTF-8."""
    text = found if isinstance(found, str) else found.decode("utf-8", "backslashreplace")
    return shown(text, is_name=True)


def fixed_time(opened: Opened, name: str, axes: tuple[str, ...]) -> int | None:
    """Return how many samples the model takes, None where it takes any number.

    Raises:
        BundleError: it has another number of axes, or no size that a window can have.
    """
    shape = opened.shapes[name]
    if len(shape) != len(axes):
        raise BundleError(
            f"input {name}: got shape {shape}, wanted {len(axes)} axes: {', '.join(axes)}"
        )
    for axis, size in zip(axes, shape, strict=True):
        if axis == SINGLE and size not in {1, ""} and isinstance(size, int):
            raise BundleError(f"input {name}: got shape {shape}, wanted 1 where the layout says 1")
    size = shape[axes.index("time")]
    if not isinstance(size, int):
        return None
    if not 0 < size <= MAX_SAMPLES:
        raise BundleError(f"input {name}: takes {size} samples, wanted 1 to {MAX_SAMPLES}")
    return size
