"""A network behind the model port by PyTorch: as it is, exported, or compiled when first called.

The daemon never imports it. Compiling may be impossible (no C++ compiler) or fail; then the very
same network runs as it is, and says once why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.export import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Mode = Literal["default", "reduce-overhead", "max-autotune"]

N_COMPILING = 3
"""Calls that may compile: the first state is a fresh one, the next ones are of the network."""


class TorchModel:
    """A callable of PyTorch behind the model port: samples and states in, output and states out."""

    def __init__(self, call: Callable[..., Any], state: tuple[Any, ...]) -> None:
        self._call, self._first = call, state
        self._state = state
        self._input = np.zeros((1, 0, 0), dtype=np.float32)  # its own: windows may be read-only

    def run(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the output for one window; see :class:`models.model.Model`."""
        import torch

        if self._input.shape[1:] != window.shape:
            self._input = np.empty((1, *window.shape), dtype=np.float32)
        self._input[0] = window
        with torch.inference_mode():
            given = self._call(torch.from_numpy(self._input), *self._state)
        output, *following = given if isinstance(given, tuple | list) else (given,)
        self._state = tuple(following)
        found: NDArray[np.float32] = output[0].float().numpy()
        return found

    def reset(self) -> None:
        """Zero the state."""
        self._state = self._first


class Compiled:
    """A callable that ``torch.compile`` compiles when it is first called; shapes never change.

    ``fallback`` says why it could not, None while it could; then ``call`` itself is called.
    ``n_breaks`` counts where it had to leave compiled code for Python, and come back.
    """

    def __init__(self, call: Callable[..., Any], *, mode: Mode) -> None:
        self._plain, self._mode = call, mode
        self._call = call
        self._n_calls = 0
        self.fallback: str | None = None
        self.n_breaks = 0

    def __call__(self, *tensors: Any) -> Any:
        """Return what the callable gives."""
        if self._n_calls < N_COMPILING:
            self._n_calls += 1
            return self._compile(*tensors)
        return self._call(*tensors)

    def _compile(self, *tensors: Any) -> Any:
        import torch
        from torch._dynamo import config, utils
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor import config as inductor

        before = sum(utils.counters["graph_break"].values())
        # Recurrent layers are left out otherwise; and no pool of compilers may stay behind to
        # disturb what is timed.
        settings = config.patch(allow_rnn=True), inductor.patch(compile_threads=1)
        try:
            with quiet(), settings[0], settings[1]:
                if self._n_calls == 1:
                    self._call = torch.compile(self._plain, mode=self._mode, dynamic=False)
                given = self._call(*tensors)
        except (TorchDynamoException, RuntimeError, OSError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            self.fallback = lines[0][:200] if lines else type(error).__name__
            self._call, self._n_calls = self._plain, N_COMPILING
            return self._plain(*tensors)
        self.n_breaks += sum(utils.counters["graph_break"].values()) - before
        return given
