"""A network's weights beside its ONNX file, so that tools can take the bundle further.

``weights.safetensors`` holds the tensors, the manifest's ``network`` the family and the shape: the
two give back the network that was exported. Tensors only; nothing is ever unpickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from models.families import FAMILIES, build
from models.manifest import NetworkOrigin
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.network import CtcNetwork

WEIGHTS = "weights.safetensors"

EARLY = "early.safetensors"
"""The same weights as they were early in the training, where it was asked to keep them."""


def pack(family: str, network: CtcNetwork) -> tuple[NetworkOrigin, bytes]:
    """Return what goes into the manifest, and the bytes of ``weights.safetensors``."""
    from safetensors.torch import save

    tensors = {name: t.detach().contiguous() for name, t in network.state_dict().items()}
    settings = msgspec.to_builtins(network.settings)
    return NetworkOrigin(family=family, settings=settings), save(tensors)


def unpack(bundle: Bundle) -> CtcNetwork:
    """Return the network of a bundle, to be evaluated.

    Raises:
        BundleError: it holds no weights, is of a family that is not ours, or they do not fit.
    """
    return _unpack(bundle, WEIGHTS)


def unpack_early(bundle: Bundle) -> CtcNetwork | None:
    """Return the network as it was early in its training, None where nobody kept it.

    Raises:
        BundleError: as :func:`unpack`.
    """
    return _unpack(bundle, EARLY) if EARLY in bundle.files else None


def _unpack(bundle: Bundle, name: str) -> CtcNetwork:
    from safetensors import SafetensorError
    from safetensors.torch import load

    origin, data = bundle.manifest.network, bundle.files.get(name)
    if origin is None or data is None:
        raise BundleError(f"{bundle.manifest.name}: holds no {name}, wanted a trainable bundle")
    if origin.family not in FAMILIES:  # a bundle must not choose what is imported
        raise BundleError(
            f"network.family: got {origin.family!r}, wanted one of {', '.join(FAMILIES)}"
        )
    network = build(origin.family, origin.settings)
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(f"{name}: does not fit {origin.family} ({error})") from None
    return network
