"""The files of a bundle that run, and the same with fewer bits: layers are named ``path/name``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from models.quantization.graph import Graph
from models.quantization.layers import layers_of, quantize
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.bundle import Bundle
    from models.quantization.probe import Files
    from models.quantization.product import Bits, Range

T = TypeVar("T")


@dataclass(slots=True)
class Candidate:
    """Quantized files, the bits of their layers by ``path/name``, and how it is called."""

    files: Files
    bits: dict[str, Bits]
    how: str
    notes: list[str] = field(default_factory=list)


def check_float(bundle: Bundle) -> None:
    """Refuse what is quantized already.

    Raises:
        BundleError: the model's precision is not float32.
    """
    precision = bundle.manifest.model.precision
    if precision != "float32":
        raise BundleError(
            f"{bundle.manifest.name}: model.precision: got {precision}, wanted float32 to quantize"
        )


def files_of(bundle: Bundle) -> Files:
    """Return the files that run, by path."""
    manifest = bundle.manifest
    paths = [manifest.model.path, *([manifest.step.path] if manifest.step else [])]
    return {path: bundle.files[path] for path in paths}


def layer_sizes(files: Files) -> dict[str, int]:
    """Return how many weights each layer has, by ``path/name``."""
    return {
        f"{path}/{layer.name}": layer.n_bytes // 4
        for path, data in files.items()
        for layer in layers_of(Graph(data))
    }


def quantized_files(files: Files, bits: Mapping[str, Bits], ranges: Mapping[str, Range]) -> Files:
    """Return files with the layers named ``path/name`` at ``bits``, the others as they are."""
    found = {}
    for path, data in files.items():
        own = _of_file(path, bits)
        found[path] = quantize(data, own, ranges=_of_file(path, ranges)) if own else data
    return found


def _of_file(path: str, named: Mapping[str, T]) -> dict[str, T]:
    """Return what is named ``path/name``, by ``name``."""
    start = f"{path}/"
    return {k.removeprefix(start): value for k, value in named.items() if k.startswith(start)}


def uniform(files: Files, bits: Bits, ranges: Mapping[str, Range], *, how: str) -> Candidate:
    """Return all layers of ``files`` at the same bits.

    Raises:
        BundleError: there is no layer that can be quantized.
    """
    every = dict.fromkeys(layer_sizes(files), bits)
    if not every:
        raise BundleError(
            "the network has no layer to quantize, wanted a GRU, a linear map or a convolution over"
            " time of 1024 weights or more"
        )
    return Candidate(quantized_files(files, every, ranges), every, how)
