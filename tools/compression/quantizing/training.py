"""Training that knows its weights will be rounded: the network sees rounded ones, and learns.

What is trained are the weights before rounding: a gradient passes through the rounding as if there
were none (Bengio et al. 2013). They are rounded as the file's will be, group by group.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.quantization.layers import LEAST_WEIGHTS
from models.quantization.rounding import round_4, round_8
from tools.compression.pruning.tuning import of_network
from tools.compression.quantizing.files import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.bundle import Bundle
    from models.quantization.probe import Files
    from models.quantization.product import Bits
    from tools.compression.pruning.tuning import Tuner


class Rounding(nn.Module):
    """Weights of a linear map (N, K), or of filters (N, C, K), as they will be stored."""

    def __init__(self, bits: Bits) -> None:
        super().__init__()
        self._round = round_4 if bits == 4 else round_8

    def forward(self, weights: Tensor) -> Tensor:
        """Return the weights rounded; the gradient is that of the weights themselves."""
        exact = weights.detach()
        turned = exact if exact.dim() == 2 else exact.transpose(1, 2)  # (N, K, C)
        rows = turned.reshape(len(exact), -1).T.numpy()  # (K C, N)
        rounded = torch.from_numpy(self._round(rows).weights().T.copy()).reshape(turned.shape)
        if exact.dim() == 3:
            rounded = rounded.transpose(1, 2)  # (N, C, K)
        seen: Tensor = weights + (rounded - exact)
        return seen


def rounded_files(
    tuner: Tuner, network: Any, bundle: Bundle, *, bits: Bits, name: str, n_steps: int, rate: float
) -> tuple[Files, str]:
    """Return the files that run of ``network`` after such a training, and in words how it was.

    Args:
        tuner: trains it.
        network: stays as it is; a copy is trained.
        bundle: of that network: says which files, and what they are given.
        bits: of its layers.
        name: of the training, which goes on where it was when killed.
        n_steps: of it.
        rate: of it.

    Raises:
        ExportError: a file does not compute what the network computes.
    """
    trained = copy.deepcopy(network)
    round_while_training(trained, bits=bits)
    trained = tuner.tune(trained, name=name, n_steps=n_steps, rate=rate)
    stop_rounding(trained)
    exported = tuner.lessons.exports(of_network(tuner.recipe, trained), trained).files
    how = f"{bits} bits, trained with rounded weights for {n_steps} steps"
    return {path: exported[path] for path in files_of(bundle)}, how


def round_while_training(network: nn.Module, *, bits: Bits) -> None:
    """Let every layer that will be quantized see its weights rounded from now on."""
    for module, name in list(_weights(network)):
        parametrize.register_parametrization(module, name, Rounding(bits), unsafe=True)


def stop_rounding(network: nn.Module) -> None:
    """Give the layers back the weights that were trained, before rounding."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=False)


def _weights(network: Any) -> Iterator[tuple[nn.Module, str]]:
    """Yield the modules and names of the weights that will be quantized."""
    for module in network.modules():
        names = []
        if isinstance(module, nn.GRU):
            names = [name for name, _ in module.named_parameters() if name.startswith("weight_")]
        elif isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv1d) and module.groups == 1
        ):
            names = ["weight"]
        for name in names:
            if getattr(module, name).numel() >= LEAST_WEIGHTS:
                yield module, name
