"""A network is stored otherwise, and what its layers hear is measured once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import Bundle
from models.manifest import ModelFile, StatePair, Tensor
from tests.unit.models.quantization.graphs import N_HIDDEN, N_INPUTS, N_SYMBOLS, PATCH, network
from tools.compression.optimizing.steps import Recoder

if TYPE_CHECKING:
    import pytest

STATE = StatePair(input="state", output="state_next", shape=(2, 1, N_HIDDEN))


class FakeGround:
    """Noise; counts how often it is asked for."""

    n_asked = 0

    def sessions(self) -> list[Any]:
        self.n_asked += 1
        windows = np.random.default_rng(0).standard_normal((20, 1, PATCH, N_INPUTS))
        return [windows.reshape(20, PATCH, N_INPUTS).astype(np.float32)]


def recoder(ground: FakeGround, **files: bytes) -> Recoder:
    model = ModelFile(
        input=Tensor(name="samples", shape=(1, PATCH, N_INPUTS)),
        output=Tensor(name="scores", shape=(1, 1, N_SYMBOLS)),
        state=(STATE,),
    )
    manifest: Any = SimpleNamespace(name="b", model=model, step=None)
    bundle = Bundle(manifest, "", {"model.onnx": network(n_frames=1)})
    given: Any = ground
    if not files:
        return Recoder(bundle, given)
    return Recoder(bundle, given, files={"model.onnx": files["model"]}, how="trained")


def made(recoder: Recoder, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def quantized(_name: str, _parent: Bundle, files: Any, bits: Any, *, how: str) -> Any:
        return SimpleNamespace(bits=bits, how=how), files

    monkeypatch.setattr("tools.compression.optimizing.steps.quantized_bundle", quantized)
    return {"int8": recoder.made("int8"), "mixed": recoder.made("mixed")}


def test_ranges_are_measured_once_for_8_bits_and_for_mixed_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ground = FakeGround()
    found = made(recoder(ground), monkeypatch)
    assert ground.n_asked == 1
    assert set(found["int8"][0].bits.values()) == {8}
    assert min(found["mixed"][0].bits.values()) < 8
    assert len(found["mixed"][1]["model.onnx"]) < len(found["int8"][1]["model.onnx"])


def test_weights_that_were_trained_are_stored_in_place_of_the_bundles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = made(recoder(FakeGround()), monkeypatch)
    other = made(recoder(FakeGround(), model=network(n_frames=1, seed=1)), monkeypatch)
    for step in ("int8", "mixed"):
        assert other[step][1] != plain[step][1]
    assert other["int8"][0].how == "trained"
