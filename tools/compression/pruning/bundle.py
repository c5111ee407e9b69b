"""The bundle of a pruned network: its parent's in all but the network and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from models.golden import GOLDEN
from models.manifest import Evaluation, Manifest, Optimisation
from models.weights import EARLY, WEIGHTS, pack
from tools.console.command import command, now
from tools.console.version import versions
from tools.training.bundle import PACKAGES

if TYPE_CHECKING:
    from models.bundle import Bundle
    from tools.training.head import Exports
    from tools.training.recipe import Recipe

Made = tuple[Manifest, dict[str, bytes]]

README = """
## Pruned

Made of the bundle whose manifest has the digest `{parent}`. Nothing that was said of that one's
errors holds of this one.
"""


def made_bundle(
    name: str,
    parent: Bundle,
    network: Any,
    recipe: Recipe,
    exports: Exports,
    *,
    sparsity: float,
    latency_ms: dict[str, float],
) -> Made:
    """Return manifest and files; golden vectors are made anew, the verdict and confidence dropped.

    Args:
        name: of the bundle.
        parent: what it is made of: pipeline, language model and README go on.
        network: pruned.
        recipe: with the network's shape.
        exports: the network's files, golden vectors among them.
        sparsity: share of the parent's parameters that are gone, or zero.
        latency_ms: what was measured, empty for nothing.
    """
    before = parent.manifest
    replaced = {before.model.path, GOLDEN, WEIGHTS, EARLY}
    if before.step is not None:
        replaced.add(before.step.path)
    files = {name: data for name, data in parent.files.items() if name not in replaced}
    origin, weights = pack(recipe.family, network)
    files |= exports.files | {WEIGHTS: weights}
    readme = files.get("README.md", b"").decode("utf-8", "replace").split("\n## Pruned\n")[0]
    files["README.md"] = (readme + README.format(parent=parent.sha256)).encode()
    provenance = msgspec.structs.replace(
        before.provenance,
        command=command(),
        parent=parent.sha256,
        versions=versions(("eegscribe", *PACKAGES)),
        recipe=msgspec.to_builtins(recipe),
    )
    manifest = msgspec.structs.replace(
        before,
        name=name,
        created=now(),
        model=exports.model,
        step=exports.step,
        network=origin,
        confidence=None,
        provenance=provenance,
        evaluation=Evaluation(),
        optimisation=Optimisation(
            sparsity=round(sparsity, 6),
            size_bytes=sum(len(data) for name, data in files.items() if name.endswith(".onnx")),
            latency_ms=latency_ms,
        ),
    )
    return manifest, files
