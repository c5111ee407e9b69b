from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.families import build
from models.torch_backend import N_COMPILING, Compiled, TorchModel


def network() -> Any:
    return build("gru-ctc", {"n_inputs": 3, "n_symbols": 5, "n_hidden": 8, "n_layers": 1})


def windows(n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 20, 3)).astype(np.float32)


def test_state_is_carried_from_call_to_call_and_forgotten_at_a_reset():
    net = network()
    model = TorchModel(net, tuple(net.initial_state()))
    first = [model.run(window).copy() for window in windows(3)]
    whole = torch.from_numpy(windows(3).reshape(1, 60, 3))
    with torch.inference_mode():
        wanted = net(whole, *net.initial_state())[0][0].numpy()
    assert np.allclose(np.concatenate(first), wanted, atol=1e-5)
    model.reset()
    given = windows(3)[0]
    given.setflags(write=False)  # as the chain hands windows out
    assert np.array_equal(model.run(given), first[0])


def test_what_cannot_be_compiled_runs_as_it_is_and_says_why_once(monkeypatch: pytest.MonkeyPatch):
    tries = []

    def refuse(*_: Any, **__: Any) -> Any:
        tries.append(1)
        raise RuntimeError("\n  No working C++ compiler\nmore of it")

    monkeypatch.setattr(torch, "compile", refuse)
    net = network()
    compiled = Compiled(net, mode="default")
    model = TorchModel(compiled, tuple(net.initial_state()))
    own = TorchModel(net, tuple(net.initial_state()))
    for window in windows(N_COMPILING + 2):
        assert np.array_equal(model.run(window), own.run(window))
    assert compiled.fallback == "No working C++ compiler"
    assert len(tries) == 1


def test_what_fails_only_when_it_is_called_falls_back_too(monkeypatch: pytest.MonkeyPatch):
    def lazily(_call: Any, **_: Any) -> Any:
        def fail(*_: Any) -> Any:
            raise RuntimeError("inductor gave up")

        return fail

    monkeypatch.setattr(torch, "compile", lazily)
    compiled = Compiled(lambda tensor: 2 * tensor, mode="max-autotune")
    assert torch.equal(compiled(torch.ones(2)), 2 * torch.ones(2))
    assert compiled.fallback == "inductor gave up"


def test_compiled_code_is_used_and_its_breaks_are_counted(monkeypatch: pytest.MonkeyPatch):
    from torch._dynamo.utils import counters

    modes = []

    def compile_(call: Any, *, mode: str, dynamic: bool) -> Any:
        modes.append((mode, dynamic))

        def compiled(*tensors: Any) -> Any:
            counters["graph_break"]["a reason"] += 1
            return call(*tensors) + 1

        return compiled

    monkeypatch.setattr(torch, "compile", compile_)
    compiled = Compiled(lambda tensor: 2 * tensor, mode="reduce-overhead")
    for _ in range(N_COMPILING):
        assert torch.equal(compiled(torch.ones(2)), torch.full((2,), 3.0))
    assert (compiled.fallback, compiled.n_breaks) == (None, N_COMPILING)
    assert modes == [("reduce-overhead", False)]
