"""An encoder and its step decoder, in two files of somebody's, as one bundle."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.bundle import load_bundle
from models.golden import GOLDEN
from runtime.engine import open_engine
from tests.bundles import seq2seq_encoder, seq2seq_step
from tests.foreign_models import import_model


def seq2seq(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "step.onnx").write_bytes(seq2seq_step()[0])
    (tmp_path / "vocabulary.txt").write_text("<end>\na\nb\n<space>\n<backspace>\n")
    pipeline = tmp_path / "p.toml"
    pipeline.write_text(
        "[window]\nkind = 'sliding'\nwindow_samples = 120\nhop_samples = 20\n"
        "[decoder]\nstability_s = 0.12\nendpoint_s = 0.2\ncommit_words = false\n"
    )
    step = ("--step", str(tmp_path / "step.onnx"), "--max-symbols", "16")
    caches = ("--cache", "cache_0=cache_0_next", "--cache", "cache_1=cache_1_next")
    return (*step, *caches, "--pipeline", str(pipeline), "--channels", "Fz,Cz,Pz,Oz")


def test_an_encoder_and_its_step_decoder_become_one_bundle(tmp_path: Path) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(seq2seq_encoder()[0])
    more = seq2seq(tmp_path)
    assert import_model(tmp_path, path, *more, head="seq2seq", kind="log-probabilities") == 0
    manifest = open_engine(tmp_path / "b.eegb").bundle.manifest
    assert manifest.step is not None
    assert (manifest.step.n_rows, manifest.step.max_symbols) == (4, 16)
    assert sorted(manifest.provenance.data) == ["encoder.onnx", "step.onnx"]


@pytest.mark.parametrize(
    ("drop", "kind", "said"),
    [
        (("--cache", "cache_1=cache_1_next"), "log-probabilities", "inputs beside the caches are"),
        ((), "probabilities", "are no probabilities"),
        ((), "logits", "gives log-probabilities"),
    ],
)
def test_a_step_decoder_that_is_not_as_said_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], drop: tuple[str, str], kind: str, said: str
) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_bytes(seq2seq_encoder()[0])
    more = list(seq2seq(tmp_path))
    if drop:
        at = more.index(drop[1])
        del more[at - 1 : at + 1]
    assert import_model(tmp_path, path, *more, head="seq2seq", kind=kind) == 65
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_what_a_step_gives_becomes_logs(tmp_path: Path, kind: str) -> None:
    encoder, path = tmp_path / "encoder.onnx", tmp_path / "step.onnx"
    encoder.write_bytes(seq2seq_encoder()[0])
    more = seq2seq(tmp_path)
    model = onnx.load(path)
    last = model.graph.node[-1]
    assert last.op_type == "LogSoftmax"
    last.op_type = "Identity" if kind == "logits" else "Softmax"
    if kind == "logits":
        del last.attribute[:]
    onnx.save(model, path)
    assert import_model(tmp_path, encoder, *more, head="seq2seq", kind=kind) == 0
    made = load_bundle(tmp_path / "b.eegb").files[GOLDEN]
    with np.load(io.BytesIO(made)) as arrays:
        np.testing.assert_allclose(np.exp(arrays["log_probs"]).sum(axis=-1), 1.0, atol=1e-5)
