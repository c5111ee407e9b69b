"""The family that wraps braindecode, with a stand-in of the same signatures for the package.

The real one cannot be installed beside torch for the processor alone: torchaudio on PyPI is built
for CUDA. The bench of classifiers uses it where it is there.
"""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.families import build
from pipeline.errors import UsageError

SHAPE = {"n_inputs": 3, "n_symbols": 4, "n_samples": 50, "patch_samples": 2, "rate_hz": 100.0}


class EEGModuleMixin:
    pass


class EEGNet(EEGModuleMixin, nn.Module):
    """Takes (B, C, F)."""

    def __init__(
        self,
        n_outputs: int,
        n_chans: int,
        n_times: int,
        sfreq: float,
        F1: int = 8,  # noqa: N803
    ) -> None:
        super().__init__()
        assert (n_chans, n_times, sfreq) == (3, 25, 50.0)
        if F1 > 99:
            raise RuntimeError("that many filters do not fit")
        self.head = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


@pytest.fixture
def _braindecode(monkeypatch: pytest.MonkeyPatch) -> None:
    models = types.ModuleType("braindecode.models")
    base = types.ModuleType("braindecode.models.base")
    models.EEGNet, models.nn = EEGNet, nn  # type: ignore[attr-defined]
    base.EEGModuleMixin = EEGModuleMixin  # type: ignore[attr-defined]
    for module in (types.ModuleType("braindecode"), models, base):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("_braindecode")
def test_a_network_of_braindecode_is_one_of_ours() -> None:
    network = build("braindecode", SHAPE | {"name": "EEGNet", "options": {"F1": 4}})
    assert isinstance(network, Classifier)
    with torch.no_grad():
        scores = network(torch.randn(2, 50, 3))
    assert scores.shape == (2, 1, 4)
    torch.testing.assert_close(scores.exp().sum(dim=2), torch.ones(2, 1))


@pytest.mark.usefixtures("_braindecode")
@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"name": "nn"}, "got 'nn', wanted a class of braindecode.models"),
        ({"name": "Nonsense"}, "got 'Nonsense', wanted a class"),
        ({"options": {"F7": 1}}, "EEGNet has no 'F7'"),
        ({"options": {"n_chans": 1}}, "EEGNet has no 'n_chans'"),
        ({"options": {"F1": 100}}, "EEGNet: that many filters do not fit"),
    ],
)
def test_refuses_what_braindecode_does_not_have(given: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        build("braindecode", SHAPE | given)


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "braindecode", None)
    monkeypatch.setitem(sys.modules, "braindecode.models", None)
    with pytest.raises(UsageError, match="wants the package of that name, and torchaudio"):
        build("braindecode", SHAPE)
