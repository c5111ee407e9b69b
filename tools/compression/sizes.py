"""How large a bundle's model is: the files that run, as they are and as a ``.eegb`` packs them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.bundle import Bundle


def model_bytes(bundle: Bundle) -> int:
    """Return how large the files that run are."""
    return sum(len(data) for name, data in bundle.files.items() if name.endswith(".onnx"))


def packed_bytes(bundle: Bundle) -> int:
    """Return how large the files that run are once deflated."""
    return sum(
        len(zlib.compress(data)) for name, data in bundle.files.items() if name.endswith(".onnx")
    )
