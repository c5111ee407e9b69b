"""What torch says of a bundle's network: its parameters by layer, and its operations, counted.

Operations are counted by torch's own counter, which sees products and convolutions only: what is
one fused operator on a processor (attention, LSTM, a transformer's layer) would count as nothing.
So those are taken apart while it counts.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from models.scopes import TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from models.manifest import Manifest

_RECURRENT = re.compile(r"_l(\d+)(_reverse)?$")


def parameters_by_layer(network: Any) -> dict[str, int]:
    """Return how many parameters each module has of its own, a recurrent one by its layers."""
    modules = dict(network.named_modules())
    found: dict[str, int] = {}
    for name, parameter in network.named_parameters():
        path, _, own = name.rpartition(".")
        layer, module = path or TOP, modules[path]
        number = _RECURRENT.search(own)
        if isinstance(module, nn.RNNBase) and module.num_layers > 1 and number:
            layer = f"{layer} layer {int(number[1]) + 1}"
        found[layer] = found.get(layer, 0) + parameter.numel()
    return found


def count_flops(call: Callable[[], Any]) -> dict[str, int]:
    """Return operations of a call by module, each with all that is inside it; "" is the total."""
    with torch.no_grad(), _taken_apart(), FlopCounterMode(display=False) as counter:
        call()
    total = {"": counter.get_total_flops()}
    return total | {
        name.partition(".")[2]: sum(by_operator.values())
        for name, by_operator in counter.get_flop_counts().items()
        if "." in name
    }


def network_flops(network: Any, manifest: Manifest) -> dict[str, int]:
    """Return operations of one call of each of the bundle's files, by the file's name."""
    samples = torch.zeros(manifest.model.input.shape)
    if manifest.step is None:
        state = network.initial_state() if manifest.model.state else ()
        return {manifest.model.path: count_flops(lambda: network(samples, *state))[""]}
    step = manifest.step
    memory = torch.zeros(manifest.model.output.shape)
    tokens = torch.zeros(step.n_rows, dtype=torch.int64)
    position, cache = torch.zeros(1, dtype=torch.int64), network.initial_cache(step.n_rows)
    return {
        manifest.model.path: count_flops(lambda: network.encode(samples))[""],
        step.path: count_flops(lambda: network.step(tokens, position, memory, *cache))[""],
    }


@contextlib.contextmanager
def _taken_apart() -> Iterator[None]:
    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), contextlib.ExitStack() as switched:
            warnings.simplefilter("ignore")  # that this build knows no Intel GPU
            switched.enter_context(sdpa_kernel(SDPBackend.MATH))
            switched.enter_context(torch.backends.mkldnn.flags(enabled=False))
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)
