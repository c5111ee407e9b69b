"""A bundle of the same network as another ONNX graph: fused, folded, or in 16 bit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from models.bundle import Bundle
from models.golden import GOLDEN, draw_tokens, run_steps, write_golden
from models.manifest import Evaluation, Manifest
from models.onnx_backend import OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session
from models.tolerances import LOOSEST, Precision
from pipeline.errors import BundleError
from tools.console.command import command, now
from tools.console.version import versions
from tools.packaging.graph_rewrites import Halving, Level, counted, halved, optimised
from tools.packaging.real_windows import golden_windows
from tools.packaging.same_output import TOLERANCES, Parity, ParityError, compare, outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

N_STEP_WINDOWS = 4
N_STEPS = 12
PACKAGES = ("eegscribe", "onnx", "onnxruntime-gpu", "onnxruntime")
README = """
## Exported

Made of the bundle whose manifest has the digest `{parent}`, as {what}. It gives the same within
{difference:.1g} on {n_windows} windows; whether it reads EEG was not judged again.
"""


@dataclass(frozen=True, slots=True)
class Remade:
    """A bundle to be written, how equal it is, and what was rewritten."""

    manifest: Manifest
    files: dict[str, bytes]
    model: OnnxModel
    parity: Parity
    how: Halving | None
    """What is computed in 16 bit, None for nothing and nothing stored so."""
    n_norms: tuple[int, int]
    """Batch norms in its graphs before and after."""


def remake(
    parent: Bundle, windows: NDArray[np.float32], *, precision: Precision, level: Level, name: str
) -> Remade:
    """Return the parent's network as a graph of this precision and level.

    Raises:
        BundleError: the parent is not float32, or ONNX Runtime refuses the graph.
        ParityError: it does not give what the parent gives.
    """
    if parent.manifest.model.precision != "float32":
        raise BundleError(
            f"{parent.manifest.name}: is {parent.manifest.model.precision}, wanted a float32 bundle"
        )
    ways: tuple[Halving, ...] = ("all", "products")
    for how in ways if precision == "float16" else ():
        with contextlib.suppress(ParityError, BundleError):
            return _made(parent, windows, precision, level, name, how=how)
    return _made(parent, windows, precision, level, name, how="stored")


def _made(
    parent: Bundle,
    windows: NDArray[np.float32],
    precision: Precision,
    level: Level,
    name: str,
    *,
    how: Halving,
) -> Remade:
    before = parent.manifest
    paths = [before.model.path] + ([before.step.path] if before.step else [])
    files = dict(parent.files)
    for path in paths:
        data = optimised(files[path], level)
        files[path] = data if precision == "float32" else halved(data, how=how)
    manifest = _manifest(parent, files, paths, precision, name)
    made = Bundle(manifest, "", files)
    old, new = (OnnxModel(open_session(b), b.manifest.model) for b in (parent, made))
    tolerance = TOLERANCES[precision]
    wanted, got = outputs(old, windows), outputs(new, windows)
    is_memory = before.step is not None
    parity = compare(wanted, got, tolerance=tolerance, is_memory=is_memory, where=before.model.path)
    files[GOLDEN] = _golden(parent, made, new, tolerance)
    readme = files.get("README.md", b"").decode("utf-8", "replace").split("\n## Exported\n")[0]
    what = f"{precision}, graph optimisation {level}"
    files["README.md"] = (
        readme
        + README.format(
            parent=parent.sha256,
            what=what,
            difference=parity.difference,
            n_windows=parity.n_windows,
        )
    ).encode()
    norms = [
        sum(counted(b[path], "BatchNormalization") for path in paths) for b in (parent.files, files)
    ]
    is_half = precision == "float16"
    return Remade(
        manifest, files, new, parity, how if is_half else None, n_norms=(norms[0], norms[1])
    )


def _manifest(
    parent: Bundle, files: dict[str, bytes], paths: list[str], precision: Precision, name: str
) -> Manifest:
    before = parent.manifest
    tolerance = max(before.model.golden_tolerance, LOOSEST[precision])
    step = before.step
    if step is not None:
        step = msgspec.structs.replace(
            step,
            precision=precision,
            golden_tolerance=max(step.golden_tolerance, LOOSEST[precision]),
        )
    return msgspec.structs.replace(
        before,
        name=name,
        created=now(),
        model=msgspec.structs.replace(
            before.model, precision=precision, golden_tolerance=tolerance
        ),
        step=step,
        evaluation=Evaluation(),
        provenance=msgspec.structs.replace(
            before.provenance,
            command=command(),
            parent=parent.sha256,
            versions=versions(PACKAGES),
        ),
        optimisation=msgspec.structs.replace(
            before.optimisation,
            precision=precision,
            size_bytes=sum(len(files[path]) for path in paths),
            latency_ms={},
        ),
    )


def _golden(parent: Bundle, made: Bundle, model: OnnxModel, tolerance: float) -> bytes:
    """Return golden vectors of the parent's golden windows: no recording gets into a bundle.

    Raises:
        ParityError: the step decoder does not give what the parent's gives.
    """
    windows = golden_windows(parent)
    found = outputs(model, windows)
    step, other = parent.manifest.step, made.manifest.step
    if step is None or other is None:
        return write_golden(windows, found)
    windows, found = windows[:N_STEP_WINDOWS], found[:N_STEP_WINDOWS]
    old = OnnxStepper(open_step_session(parent), step, parent.manifest.model)
    new = OnnxStepper(open_step_session(made), other, made.manifest.model)
    tokens = draw_tokens(old, n=len(found), n_steps=N_STEPS)
    wanted, got = run_steps(old, found, tokens), run_steps(new, found, tokens)
    for one, two, is_memory in (
        (wanted.log_probs, got.log_probs, False),
        (wanted.attention, got.attention, True),
    ):
        shape = (len(found), -1, one.shape[-1])
        compare(
            one.reshape(shape),
            two.reshape(shape),
            tolerance=tolerance,
            is_memory=is_memory,
            where=step.path,
        )
    return write_golden(windows, found, got)
