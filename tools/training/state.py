"""What a training remembers, as named tensors and plain numbers: no pickle, nothing opaque."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_fabric import Fabric
    from torch import Tensor
    from torch.optim import Optimizer

WHOLE_NUMBERS = frozenset({"growth_interval", "_growth_tracker"})


def named(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``tensors`` under names that begin with ``kind/``."""
    return {f"{kind}/{name}": tensor for name, tensor in tensors.items()}


def taken(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return those of ``tensors`` that :func:`named` put under ``kind``, by their own names."""
    start = f"{kind}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """Return what the optimiser remembers of each parameter, as ``index/name``."""
    found = optimiser.state_dict()["state"]
    return {f"{index}/{name}": t for index, of_one in found.items() for name, t in of_one.items()}


def load_moments(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give back to the optimiser what :func:`moments` took from it."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, moment = name.partition("/")
        found.setdefault(int(index), {})[moment] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": found})


def scaler(fabric: Fabric) -> dict[str, float]:
    """Return the state of the scaling of gradients, empty where nothing is scaled."""
    return {name: float(v) for name, v in fabric.strategy.precision.state_dict().items()}


def load_scaler(fabric: Fabric, numbers: Mapping[str, float]) -> None:
    """Give back what :func:`scaler` took."""
    given: dict[str, Any] = {k: int(v) if k in WHOLE_NUMBERS else v for k, v in numbers.items()}
    if given:
        fabric.strategy.precision.load_state_dict(given)
