from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from models.bundle import Bundle, load_bundle
from models.families import build
from models.weights import WEIGHTS, pack
from pipeline.errors import BundleError, UsageError
from runtime.engine import open_engine
from tests.bundles import make_bundle
from tools.benchmarking.agreement import agreement, best_symbols
from tools.benchmarking.backends import (
    BACKENDS,
    Given,
    Opened,
    backed,
    chosen,
    names_for,
    open_backend,
    own_backend,
)
from tools.benchmarking.material import golden_material


def given(tmp_path: Path, head: str = "ctc") -> Given:
    path = tmp_path / f"{head}.eegb"
    make_bundle(path, head=head)
    bundle = load_bundle(path)
    return Given(bundle, golden_material(open_engine(path), bundle), tmp_path)


@pytest.mark.parametrize("head", ["ctc", "selection", "seq2seq"])
def test_the_bundle_itself_runs_and_every_other_backend_runs_or_says_why(tmp_path: Path, head: str):
    made = given(tmp_path, head)
    own = own_backend(made.bundle)
    assert own == "onnx-float32"
    for name in ("onnx-float32", "onnx-float16", "onnx-int8", "torch-eager", "torch-aoti"):
        found = open_backend(name, made)
        if isinstance(found, str):
            assert found
            assert "\n" not in found
            assert not found.startswith("--format")
        else:
            assert found.stepper is None or head == "seq2seq"
            assert best_symbols(found, made.material.windows).ndim == 1
    assert isinstance(open_backend(own, made), Opened)


def test_a_bundle_without_weights_has_no_torch_and_says_so(tmp_path: Path):
    found = open_backend("torch-eager", given(tmp_path))
    assert isinstance(found, str)
    assert "holds no weights.safetensors" in found


def test_a_network_that_writes_has_its_step_decoder_in_torch_and_in_no_exported_file(
    tmp_path: Path,
):
    made = given(tmp_path, "seq2seq")
    shape = {"n_inputs": 4, "n_symbols": 5, "n_width": 16, "n_inner": 16, "n_heads": 2}
    origin, weights = pack("transformer", build("transformer", {**shape, "n_layers": 1}))
    bundle = Bundle(
        replace(made.bundle.manifest, network=origin),
        made.bundle.sha256,
        {**made.bundle.files, WEIGHTS: weights},
    )
    made = Given(bundle, made.material, tmp_path)
    found = open_backend("torch-eager", made)
    assert isinstance(found, Opened)
    assert found.stepper is not None
    best = best_symbols(found, made.material.windows)
    assert np.array_equal(best, best_symbols(found, made.material.windows))
    refused = open_backend("torch-export", made)
    assert isinstance(refused, str)
    assert "holds the encoder alone" in refused


def test_a_small_network_has_no_layer_for_whole_numbers(tmp_path: Path):
    found = open_backend("onnx-int8", given(tmp_path))
    assert isinstance(found, str)
    assert "no layer to quantize" in found


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BundleError("it is broken"), "it is broken"),
        (RuntimeError("\n  no room\nmore"), "RuntimeError: no room"),
        (OSError(2, "gone"), "FileNotFoundError: [Errno 2] gone"),
        (ModuleNotFoundError("no torch", name="torch"), "the package 'torch' is not installed"),
    ],
)
def test_whatever_a_backend_raises_is_why_it_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
):
    def raising(_given: Given) -> Opened:
        raise error

    monkeypatch.setitem(BACKENDS, "torch-eager", raising)
    assert open_backend("torch-eager", given(tmp_path)) == said


def test_a_fault_of_ours_is_not_taken_for_a_missing_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def raising(_given: Given) -> Opened:
        raise TypeError("ours")

    monkeypatch.setitem(BACKENDS, "torch-eager", raising)
    with pytest.raises(TypeError, match="ours"):
        open_backend("torch-eager", given(tmp_path))


def test_names_are_checked_and_the_bundle_comes_first(tmp_path: Path):
    bundle = given(tmp_path).bundle
    assert chosen("all") == tuple(BACKENDS)
    assert names_for(bundle, chosen("torch-eager, onnx-float32,torch-eager")) == [
        "onnx-float32",
        "torch-eager",
    ]
    with pytest.raises(UsageError, match="--backends: got 'onyx', wanted all, or some of onnx-"):
        chosen("torch-eager,onyx")


def test_an_engine_on_a_backend_starts_every_chain_afresh(tmp_path: Path):
    made = given(tmp_path)
    engine = open_engine(tmp_path / "ctc.eegb")
    opened = open_backend("onnx-float32", made)
    assert isinstance(opened, Opened)
    on_backend = backed(engine, opened)
    window = made.material.windows[0]
    first = on_backend.model().run(window).copy()
    on_backend.model().run(window)
    assert np.array_equal(on_backend.model().run(window), first)
    assert on_backend.chain().spec is engine.spec
    assert engine.model() is not opened.model


def test_agreement_stands_beside_a_constant():
    found = agreement(np.array([0, 0, 1, 2]), np.array([0, 0, 0, 2]))
    assert (found.estimate, found.constant, found.n_outputs) == (0.75, 0.75, 4)
