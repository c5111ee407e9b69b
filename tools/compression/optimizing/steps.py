"""The steps themselves: each makes of a bundle another, that holds the network otherwise."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from models.weights import unpack
from tools.compression.quantizing.bundle import quantized_bundle
from tools.compression.quantizing.quantizer import Quantizer
from tools.compression.quantizing.training import rounded_files
from tools.packaging.export_bundle import remake

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.manifest import Manifest
    from models.quantization.probe import Files
    from tools.compression.ground import Ground
    from tools.compression.pruning.prunable import Prunable

    Made = tuple[Manifest, dict[str, bytes]]

Recoding = Literal["int8", "mixed", "float16"]
"""Steps that keep the network and store it otherwise."""

MIXED_SHARE = 0.75
"""Of the file at 8 bits, what a mixture is allowed."""


class Recoder:
    """Stores one network otherwise; what its layers hear is measured once, when first needed.

    Args:
        bundle: of the network.
        ground: what it is measured on.
        files: of the same network with other weights, where they are not the bundle's.
        how: these came about, in words.
    """

    def __init__(
        self, bundle: Bundle, ground: Ground, *, files: Files | None = None, how: str = ""
    ) -> None:
        self._bundle, self._ground, self._files, self._how = bundle, ground, files, how

    def made(self, step: Recoding) -> Made:
        """Return manifest and files of the network stored otherwise.

        Raises:
            BundleError: it is no float32 bundle, or holds nothing that can be stored so.
            ParityError: in 16 bit it does not give what it gave.
        """
        if step == "float16":
            windows = self._ground.windows()
            remade = remake(self._bundle, windows, precision="float16", level="none", name=step)
            return remade.manifest, remade.files
        if step == "int8":
            one = self._quantizer.static(8, how=self._how)
        else:
            one = self._quantizer.mixed(MIXED_SHARE)
        return quantized_bundle(step, self._bundle, one.files, one.bits, how=one.how)

    @cached_property
    def _quantizer(self) -> Quantizer:
        return Quantizer(self._bundle, self._ground.sessions, files=self._files)


def rounded(
    bundle: Bundle, ground: Ground, prunable: Prunable, *, name: str, is_taught: bool = True
) -> Recoder:
    """Return what stores the network of ``bundle`` after training that knows of 8 bits.

    Args:
        bundle: with its weights.
        ground: what it is measured on.
        prunable: says how long it is trained, and on what.
        name: of the training, which goes on where it was when killed.
        is_taught: by the original too.
    """
    tuner = prunable.tuner if is_taught else replace(prunable.tuner, teacher=None)
    files, how = rounded_files(
        tuner,
        unpack(bundle),
        bundle,
        bits=8,
        name=name,
        n_steps=prunable.n_steps,
        rate=prunable.rate,
    )
    return Recoder(bundle, ground, files=files, how=how)
