"""What a network attends to, taken from one pass over it, whatever network it is.

Attention is a softmax, or torch's ``scaled_dot_product_attention``, which keeps its weights to
itself: they are computed again from what it was given. A pass is listened to from outside, so a
network need not know of it, and one that is not listened to pays nothing.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    Maps = dict[str, NDArray[np.float32]]
    """Of each place in the network (n_heads, n_asking, n_asked); rows sum to 1."""

NO_NAME = "memory"
"""What a network asks that looks things up in no module of its own, such as step by step."""


class AttentionTap(TorchFunctionMode):
    """Keeps the weights of all attention inside ``with tap:``, for a batch of one.

    ``maps`` names each by the module that asks. Those in ``looks_back`` see a fixed number of
    earlier frames and are laid out by how many frames back: column 0 is the frame itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._steps: dict[str, list[Tensor]] = {}
        self._maps: Maps = {}
        self.looks_back: set[str] = set()

    @property
    def maps(self) -> Maps:
        """What was found; asked step by step, steps are rows."""
        steps = {
            name: np.concatenate([row.numpy() for row in rows])[np.newaxis]
            for name, rows in self._steps.items()
        }
        return self._maps | steps

    @contextlib.contextmanager
    def listening(self, network: nn.Module) -> Iterator[None]:
        """Know the names of ``network``'s modules while they run."""
        handles = []
        for name, module in network.named_modules():
            handles.append(module.register_forward_pre_hook(self._enter(name)))
            handles.append(module.register_forward_hook(self._leave, always_call=True))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Callable[..., None]:
        def enter(*_: Any) -> None:
            self._names.append(name)

        return enter

    def _leave(self, *_: Any) -> None:
        self._names.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run ``func``, and keep what it gives where it is attention."""
        given = kwargs or {}
        result = func(*args, **given)
        if func is functional.scaled_dot_product_attention:
            table, is_back = unfold(dot_product_weights(*args, **given))
            self._keep(table)
            self.looks_back |= {self._name()} if is_back else set()
        elif func in (torch.softmax, torch.Tensor.softmax, functional.softmax):
            self._take(result, *args[1:2], **given)
        return result

    def _take(self, weights: Tensor, dim: int = -1, **_: Any) -> None:
        """Keep a softmax over the last axis: of heads, or of a step of one row."""
        if dim not in (-1, weights.ndim - 1):
            return
        if weights.ndim == 4 and len(weights) == 1:
            self._keep(weights[0].float().cpu().numpy())
        elif weights.ndim == 2 and len(weights) == 1:
            self._steps.setdefault(self._name(), []).append(weights.detach().float().cpu())

    def _keep(self, weights: NDArray[np.float32]) -> None:
        self._maps[self._name()] = weights

    def _name(self) -> str:
        return (self._names[-1] if self._names else "") or NO_NAME


def dot_product_weights(
    query: Tensor,
    key: Tensor,
    _value: Tensor,
    attn_mask: Tensor | None = None,
    *_: Any,
    scale: float | None = None,
    **__: Any,
) -> Tensor:
    """Return the weights (G, H, S, K) that ``scaled_dot_product_attention`` computes with."""
    scores = query @ key.transpose(-2, -1) * (scale or 1.0 / math.sqrt(query.shape[-1]))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)  # (G, H, S, K)
    elif attn_mask is not None:
        scores = scores + attn_mask  # (G, H, S, K)
    return scores.softmax(dim=-1)


def unfold(weights: Tensor) -> tuple[NDArray[np.float32], bool]:
    """Return the weights (G, H, S, K) of one recording as (H, G S, .), and whether by frames back.

    They are where K = N + S and nobody looks ahead, or back by more than N: 0 to N frames back.
    """
    n_groups, n_heads, n_asking, n_asked = weights.shape
    table: NDArray[np.float32] = weights.detach().float().cpu().numpy()
    n_context = n_asked - n_asking
    back = n_context + np.arange(n_asking)[:, np.newaxis] - np.arange(n_asked)  # (S, K)
    is_back = n_context > 0 and not table[:, :, (back < 0) | (back > n_context)].any()
    if is_back:
        index = n_context + np.arange(n_asking)[:, np.newaxis] - np.arange(n_context + 1)
        table = np.take_along_axis(table, index[np.newaxis, np.newaxis], axis=3)
    return table.transpose(1, 0, 2, 3).reshape(n_heads, n_groups * n_asking, -1), is_back
