"""The bundle of quantized files: its parent's in all but these, and what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from models.bundle import Bundle
from models.golden import GOLDEN, draw_tokens, read_windows, run_steps, run_windows, write_golden
from models.manifest import Evaluation, Manifest, Optimisation
from models.onnx_backend import OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session
from models.tolerances import LOOSEST
from models.weights import EARLY, WEIGHTS
from tools.console.command import command, now
from tools.console.version import versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.quantization.probe import Files
    from models.quantization.product import Bits
    from models.tolerances import Precision


N_GOLDEN_STEPS = 8

PACKAGES = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime")

README = """
## Quantized

Made of the bundle whose manifest has the digest `{parent}`: {how}. Nothing that was said of that
one's errors holds of this one. Products are of whole numbers, so neither another stream nor another
cut of the samples changes a bit of what it gives. The network itself is in the parent.
"""


def quantized_bundle(
    name: str,
    parent: Bundle,
    files: Files,
    bits: Mapping[str, Bits],
    *,
    how: str,
    latency_ms: Mapping[str, float] | None = None,
) -> tuple[Manifest, dict[str, bytes]]:
    """Return manifest and files; golden vectors are made anew, verdict and confidence dropped.

    The weights that training goes on with are left out: these files cannot be trained, and they
    would be larger than all the rest.

    Args:
        name: of the bundle.
        parent: what it is made of.
        files: the quantized files, by their paths in the bundle.
        bits: of each layer.
        how: in words, for the README.
        latency_ms: what was measured.

    Raises:
        BundleError: the parent has no golden vectors, or ONNX Runtime refuses a file.
    """
    before, precision = parent.manifest, precision_of(bits)
    dropped = {WEIGHTS, EARLY, GOLDEN}
    kept = {path: data for path, data in parent.files.items() if path not in dropped} | files
    readme = kept.get("README.md", b"").decode("utf-8", "replace").split("\n## Quantized\n")[0]
    kept["README.md"] = (readme + README.format(parent=parent.sha256, how=how)).encode()
    step = before.step
    manifest = replace(
        before,
        name=name,
        created=now(),
        model=replace(before.model, precision=precision, golden_tolerance=LOOSEST[precision]),
        step=step and replace(step, precision=precision, golden_tolerance=LOOSEST[precision]),
        network=None,
        confidence=None,
        evaluation=Evaluation(),
        provenance=replace(
            before.provenance,
            command=command(),
            parent=parent.sha256,
            versions=before.provenance.versions | versions(PACKAGES),
        ),
        optimisation=Optimisation(
            sparsity=before.optimisation.sparsity,
            precision=precision,
            size_bytes=sum(len(data) for path, data in kept.items() if path.endswith(".onnx")),
            latency_ms=dict(latency_ms or {}),
        ),
    )
    kept[GOLDEN] = _golden(parent, Bundle(manifest, "", kept))
    return manifest, kept


def precision_of(bits: Mapping[str, Bits]) -> Precision:
    """Return how a manifest calls these bits."""
    names: dict[int, Precision] = {4: "int4", 8: "int8", 16: "float16"}
    found = set(bits.values())
    return names[found.pop()] if len(found) == 1 else "mixed"


def _golden(parent: Bundle, made: Bundle) -> bytes:
    """Return golden vectors of ``made`` for the windows of its parent's."""
    windows, manifest = read_windows(parent), made.manifest
    outputs = run_windows(OnnxModel(open_session(made), manifest.model), windows)
    if manifest.step is None:
        return write_golden(windows, outputs)
    stepper = OnnxStepper(open_step_session(made), manifest.step, manifest.model)
    tokens = draw_tokens(stepper, n=len(windows), n_steps=N_GOLDEN_STEPS)
    return write_golden(windows, outputs, run_steps(stepper, outputs, tokens))
