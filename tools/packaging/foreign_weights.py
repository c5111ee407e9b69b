"""Weights that lie in files beside an ONNX file, as PyTorch's exporter writes them by default.

They are put into the model when it is imported, for a bundle reaches outside itself for nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from models.bundle import MAX_BYTES
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def fetch_weights(proto: Any, folder: Path, *, where: str) -> dict[str, str]:
    """Put weights in other files of ``folder`` into ``proto``; return those files' digests.

    The onnx package refuses links, names that lead outside and places beyond a file's end.

    Raises:
        BundleError: a file is missing or refused, or all of them are more than a bundle may hold.
    """
    from onnx import TensorProto
    from onnx.checker import ValidationError
    from onnx.external_data_helper import load_external_data_for_tensor

    files: set[str] = set()
    n_bytes = 0
    for tensor in _tensors(proto.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        named = {entry.key: entry.value for entry in tensor.external_data}
        file = named.get("location", "")
        try:
            if not file.isprintable() or not (folder / file).exists():
                raise BundleError(
                    f"{where}: its weights are in {file!r}, which is not there beside it"
                )
            load_external_data_for_tensor(tensor, str(folder))
        except (ValidationError, ValueError, OSError) as error:
            said = str(error).splitlines()[0][:300]
            raise BundleError(f"{where}: weights in another file: {said}") from None
        files.add(file)
        n_bytes += len(tensor.raw_data)
        if n_bytes > MAX_BYTES:
            raise BundleError(f"{where}: weights in other files are over {MAX_BYTES >> 30} GiB")
    return {file: _digest(folder / file) for file in sorted(files)}


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph and of the graphs in it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
