"""Quantizes the files of a bundle: ranges, what each layer can bear, and the candidates."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from models.quantization.mixture import CHOICES, Sensitivity, choose_bits, n_bytes
from models.quantization.probe import Probe, divergence
from tools.compression.quantizing.files import (
    Candidate,
    check_float,
    files_of,
    layer_sizes,
    quantized_files,
    uniform,
)
from tools.console.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.quantization.probe import Files
    from models.quantization.product import Bits, Range


class Quantizer:
    """Makes quantized files of one bundle.

    Args:
        bundle: in float32.
        sessions: makes what ranges and sensitivity are measured on, windows (n, T, C) of each
            session; called when first needed.
        files: of the same network with other weights, where they are not the bundle's.

    Raises:
        BundleError: the bundle is quantized already.
    """

    def __init__(
        self,
        bundle: Bundle,
        sessions: Callable[[], list[NDArray[np.float32]]],
        *,
        files: Files | None = None,
    ) -> None:
        check_float(bundle)
        self._bundle, self._sessions = bundle, sessions
        self.files = files or files_of(bundle)

    def dynamic(self, bits: Bits) -> Candidate:
        """Return every layer at ``bits``, scaled as it comes."""
        how = f"{bits} bits, each row and frame by its own largest value"
        return uniform(self.files, bits, {}, how=how)

    def static(self, bits: Bits, *, how: str = "") -> Candidate:
        """Return every layer at ``bits``, by ranges; ``how`` says where the weights are from."""
        how = how or f"{bits} bits, ranges measured on what it was trained on"
        return uniform(self.files, bits, self.ranges, how=how)

    def mixed(self, share: float) -> Candidate:
        """Return layers at 16, 8 or 4 bits in at most ``share`` of the file of 8 bits.

        Raises:
            BundleError: there is no layer that can be quantized.
        """
        eight, layers = self.static(8), self.sensitivities()
        whole = sum(map(len, eight.files.values()))
        rest = whole - n_bytes(layers, dict.fromkeys(layers, 8))
        bits = choose_bits(layers, most_bytes=share * whole - rest)
        files = quantized_files(self.files, bits, self.ranges)
        told = ", ".join(f"{name} {n}" for name, n in bits.items())
        one = Candidate(files, bits, f"bits by layer: {told}")
        one.notes = [f"bits: {told}"]
        one.notes += [
            f"  {name}: nats lost at 16, 8, 4 bits alone: "
            + ", ".join(f"{found.nats[n]:.2g}" for n in CHOICES)
            for name, found in layers.items()
        ]
        return one

    def sensitivities(self) -> dict[str, Sensitivity]:
        """Return what each layer loses alone at each number of bits, by ``path/name``."""
        exact = self._probe.log_probs(self.files)
        sizes = layer_sizes(self.files)
        found: dict[str, Sensitivity] = {}
        with progress("sensitivity", total=len(sizes) * len(CHOICES)) as bar:
            for name, n_weights in sizes.items():
                nats: dict[Bits, float] = {}
                for bits in CHOICES:
                    files = quantized_files(self.files, {name: bits}, self.ranges)
                    nats[bits] = divergence(exact, self._probe.log_probs(files))
                    bar(len(found) * len(CHOICES) + len(nats))
                found[name] = Sensitivity(n_weights, nats)
        return found

    @cached_property
    def ranges(self) -> Mapping[str, Range]:
        """What the layers hear, by ``path/name``."""
        return self._probe.ranges(self.files)

    @cached_property
    def _probe(self) -> Probe:
        manifest = self._bundle.manifest
        return Probe(manifest.model, manifest.step, self._sessions())
