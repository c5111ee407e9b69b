"""The steps themselves: each makes of the bundle at ``source`` another, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models.bundle import load_bundle
from tools.compression.quantizing.bundle import quantized_bundle
from tools.compression.quantizing.quantizer import Quantizer
from tools.packaging.export_bundle import remake

if TYPE_CHECKING:
    from pathlib import Path

    from models.manifest import Manifest
    from tools.compression.ground import Ground

    Made = tuple[Manifest, dict[str, bytes]]

Recoding = Literal["int8", "mixed", "float16"]
"""Steps that keep the network and store it otherwise."""

MIXED_SHARE = 0.75
"""Of the file at 8 bits, what a mixture is allowed."""


def recoded(step: Recoding, source: Path, ground: Ground) -> Made:
    """Return manifest and files of ``source`` stored otherwise.

    Raises:
        BundleError: it is no float32 bundle, or holds nothing that can be stored so.
        ParityError: in 16 bit it does not give what it gave.
    """
    bundle = load_bundle(source)
    if step == "float16":
        made = remake(bundle, ground.windows(), precision="float16", level="none", name=step)
        return made.manifest, made.files
    quantizer = Quantizer(bundle, ground.sessions)
    one = quantizer.static(8) if step == "int8" else quantizer.mixed(MIXED_SHARE)
    return quantized_bundle(step, bundle, one.files, one.bits, how=one.how)
