"""PyTorch's own formats, written, read back and run: slow to make, so not among the unit tests."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle, load_bundle, write_bundle
from models.export import export_ctc
from models.families import build
from models.golden import GOLDEN, run_windows, write_golden
from models.manifest import Manifest, Provenance
from models.onnx_backend import OnnxModel, open_session
from models.weights import WEIGHTS, pack
from tests.bundles import CHANNELS, LETTERS, ctc_spec
from tools.cli import main

SIZES = {"n_inputs": len(CHANNELS), "n_symbols": len(LETTERS), "n_hidden": 32, "n_layers": 2}
COMPILER = shutil.which("c++") or shutil.which("g++")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that holds its weights."""
    path = tmp_path_factory.mktemp("bundle") / "b.eegb"
    network = build("gru-ctc", SIZES, seed=1)
    exported = export_ctc(network, n_frames=2)
    origin, weights = pack("gru-ctc", network)
    files = {"model.onnx": exported.data, WEIGHTS: weights}
    manifest = Manifest(
        format_version=1,
        name="tiny",
        created="2026-11-22T00:00:00Z",
        pipeline=ctc_spec(),
        model=exported.file,
        network=origin,
        files={},
        provenance=Provenance(command="tests"),
    )
    windows = np.random.default_rng(0).standard_normal((8, *exported.file.input.shape[1:]))
    model = OnnxModel(open_session(Bundle(manifest, "", files)), exported.file)
    golden = windows.astype(np.float32)
    files[GOLDEN] = write_golden(golden, run_windows(model, golden))
    write_bundle(path, manifest, files)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "pt2",
        pytest.param("aoti", marks=pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")),
    ],
)
def test_a_file_is_read_back_and_gives_the_same(
    bundle: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "network.pt2"
    words = ["export", str(bundle), "--format", kind, "--out", str(out)]
    assert main([*words, "--blocks", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["difference"] < 1e-5
    assert told["speed"]["exported_ms"]["p50"] > 0
    note = json.loads(out.with_name("network.pt2.json").read_text())
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert note["files"]["network.pt2"]["sha256"] == digest
    assert note["bundle"]["sha256"] == load_bundle(bundle).sha256
    assert sorted(p.name for p in tmp_path.iterdir()) == ["network.pt2", "network.pt2.json"]


def test_without_a_compiler_one_sentence_says_so(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["export", str(bundle), "--format", "aoti", "--out", str(tmp_path / "network.pt2")]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "found no C++ compiler" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
