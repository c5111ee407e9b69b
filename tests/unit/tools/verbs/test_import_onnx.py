from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.bundle import load_bundle
from models.golden import GOLDEN
from models.onnx_backend import OnnxModel, open_session
from models.onnx_layout import Foreign
from pipeline.errors import BundleError
from runtime.engine import open_engine
from tests.foreign_models import (
    double_convolution,
    external_data,
    foreign_ctc,
    foreign_scores,
    import_model,
)
from tools.packaging.foreign_model import RawModel


@pytest.mark.parametrize(
    "layout", ["batch,time,channels", "batch,1,channels,time", "time,batch,channels"]
)
@pytest.mark.parametrize(
    "output_layout", ["batch,time,symbols", "time,1,batch,symbols", "batch,symbols,time"]
)
@pytest.mark.parametrize("kind", ["logits", "probabilities", "log-probabilities"])
def test_any_layout_gives_the_same_log_probabilities(
    tmp_path: Path, layout: str, output_layout: str, kind: str
) -> None:
    path = foreign_ctc(
        tmp_path / "m.onnx", layout=layout, output_layout=output_layout, kind=kind, is_free=True
    )
    pipeline = tmp_path / "p.toml"
    pipeline.write_text('[window]\nkind = "sliding"\nwindow_samples = 20\nhop_samples = 5\n')
    more = ("--layout", layout, "--output-layout", output_layout, "--pipeline", str(pipeline))
    assert import_model(tmp_path, path, *more, kind=kind) == 0
    bundle = load_bundle(tmp_path / "b.eegb")
    assert bundle.manifest.model.input.shape == (1, 20, 3)
    assert bundle.manifest.pipeline.vocabulary == ("", "a", "b", " ", "c")
    plain = foreign_ctc(tmp_path / "plain.onnx", layout="batch,time,channels")
    window = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(plain, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"x": window[np.newaxis]})[0][0][:, [3, 0, 1, 2, 4]]
    wanted = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    got = OnnxModel(open_session(bundle), bundle.manifest.model).run(window)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_bundle_says_where_it_came_from_and_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", has_state=True, is_free=True, opset=13)
    pipeline = tmp_path / "p.toml"
    pipeline.write_text(
        "[[bands]]\nlow_hz = 1.0\nhigh_hz = 40.0\n[normalise]\nkind = 'running'\n"
        "[window]\nkind = 'sliding'\nwindow_samples = 20\nhop_samples = 20\n"
    )
    more = ("--layout", "batch,channels,time", "--pipeline", str(pipeline), "--state", "h0=hn")
    assert import_model(tmp_path, path, *more, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["states"] == 1
    assert told["difference"] < 1e-5
    engine = open_engine(tmp_path / "b.eegb")
    manifest = engine.bundle.manifest
    assert list(manifest.provenance.data) == ["m.onnx"]
    assert manifest.provenance.recipe["foreign"]["producer"] == "someone"
    assert manifest.evaluation.verdict == "not evaluated"
    assert len(manifest.pipeline.bands[0].sos) == 4


def test_weights_that_are_inputs_too_stay_weights(tmp_path: Path) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", is_old=True, has_state=True, opset=13)
    assert import_model(tmp_path, path, "--layout", "batch,channels,time", "--state", "h0=hn") == 0
    open_engine(tmp_path / "b.eegb")


@pytest.mark.parametrize("state", [(), ("--state", "h0=hn")])
def test_half_precision_says_so(tmp_path: Path, state: tuple[str, ...]) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", is_half=True, has_state=bool(state))
    assert import_model(tmp_path, path, "--layout", "batch,channels,time", *state) == 0
    open_engine(tmp_path / "b.eegb")
    assert load_bundle(tmp_path / "b.eegb").manifest.model.precision == "float16"


@pytest.mark.parametrize(
    ("changes", "more", "kind", "said"),
    [
        ({}, ("--layout", "batch,time,channels"), "logits", "wanted (1, 3, 3)"),
        ({}, ("--layout", "batch,time"), "logits", "wanted each of batch, time, channels once"),
        ({}, ("--channels", "4"), "logits", "input x: is (1, 3, 20)"),
        ({}, (), "probabilities", "are no probabilities"),
        ({"kind": "probabilities"}, (), "logits", "--output-kind probabilities, not logits"),
        ({"kind": "log-probabilities"}, (), "logits", "--output-kind log-probabilities"),
        ({"is_free": True}, (), "logits", "no [window]"),
        ({"has_state": True}, (), "logits", "--input: got none, wanted one of x, h0"),
        ({"has_state": True}, ("--state", "h0=h1"), "logits", "wanted one of the inputs"),
        ({"domain": "their.own"}, (), "logits", "operators of domain 'their.own'"),
        ({"opset": 999}, (), "logits", "opset 999"),
        ({"opset": 6}, (), "logits", "operators of opset 6, wanted one from 8"),
        ({"n_samples": -20}, (), "logits", "takes -20 samples"),
        ({"n_samples": 2**40}, (), "logits", "takes 1099511627776 samples"),
        ({"n_samples": 0}, (), "logits", "takes 0 samples"),
        ({"is_noisy": True}, (), "logits", "something else each time"),
        ({}, ("--output-layout", "time,batch,symbols"), "logits", "wanted 1 for batch"),
        ({}, ("--output-layout", "batch,1,time,symbols"), "logits", "is of shape (1, 4, 5)"),
    ],
)
def test_what_is_not_as_it_was_said_is_refused_in_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    more: tuple[str, ...],
    kind: str,
    said: str,
) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", **changes)  # type: ignore[arg-type]
    if "--layout" not in more:
        more = (*more, "--layout", "batch,channels,time")
    assert import_model(tmp_path, path, *more, kind=kind) in {2, 65}
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "b.eegb").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\nb\nc\nd\ne\n", "wanted <blank> on one line"),
        ("a\n<blank>\nb\n", "gives 5 symbols, the vocabulary has 3"),
        ("a\n\nb\n", "line 2: empty"),
        ("a\na\n", "line 2: 'a' is there already"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "vocabulary.txt").write_text(text)
    path = foreign_ctc(tmp_path / "m.onnx")
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 65
    assert said in capsys.readouterr().err


def test_a_file_whose_name_is_no_text_becomes_a_bundle(tmp_path: Path) -> None:
    path = foreign_ctc(tmp_path / "m\udcff\x1b.onnx")
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 0
    manifest = load_bundle(tmp_path / "b.eegb").manifest
    assert manifest.name == "m\\udcff\\x1b"
    assert list(manifest.provenance.data) == ["m\\udcff\\x1b.onnx"]


def test_weights_in_another_file_come_in(tmp_path: Path) -> None:
    path = external_data(tmp_path / "m.onnx")
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 0
    bundle = open_engine(tmp_path / "b.eegb").bundle
    assert sorted(bundle.manifest.provenance.data) == ["m.onnx", "weights.bin"]
    plain = tmp_path / "plain"
    plain.mkdir()
    foreign_ctc(plain / "m.onnx")
    assert import_model(plain, plain / "m.onnx", "--layout", "batch,channels,time") == 0
    wanted = load_bundle(plain / "b.eegb").files[GOLDEN]
    assert load_bundle(tmp_path / "b.eegb").files[GOLDEN] == wanted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"location": "gone.bin"}, "'gone.bin', which is not there beside it"),
        ({"location": "link.bin"}, "symbolic link"),
        ({"location": "../weights.bin"}, "outside"),
        ({"location": "/etc/hostname"}, "absolute path"),
        ({"location": "weights.bin\0"}, "'weights.bin\\x00', which is not there"),
        ({"offset": "100000"}, "exceeds file size"),
        ({"length": "1" + 30 * "0"}, "exceeds available data"),
        ({"length": "many"}, "invalid literal"),
        ({"location": ""}, "should not be empty"),
        ({"location": 5000 * "x"}, "File name too long"),
    ],
)
def test_weights_elsewhere_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], said: str
) -> None:
    (tmp_path / "in").mkdir()
    path = external_data(tmp_path / "in" / "m.onnx")
    (tmp_path / "in" / "link.bin").symlink_to("weights.bin")
    (tmp_path / "weights.bin").write_bytes((tmp_path / "in" / "weights.bin").read_bytes())
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = changes.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 65
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_weights_elsewhere_have_a_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = external_data(tmp_path / "m.onnx")
    monkeypatch.setattr("tools.packaging.foreign_weights.MAX_BYTES", 100)
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 65
    assert "weights in other files are over" in capsys.readouterr().err


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for data in (b"", b"PK\x03\x04", onnx.ModelProto().SerializeToString()):
        path.write_bytes(data)
        assert import_model(tmp_path, path) == 65
    assert import_model(tmp_path, tmp_path / "none.onnx") == 65


def test_a_model_of_doubles_that_cannot_run_says_how_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = double_convolution(tmp_path / "m.onnx")
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 65
    assert "wanted an export in float32, as after model.float()" in capsys.readouterr().err


def test_what_has_no_output_and_what_takes_lengths_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", has_state=True)
    more = ("--layout", "batch,channels,time", "--input", "x")
    assert import_model(tmp_path, path, *more) == 2
    assert "nothing goes into h0, wanted IN=OUT" in capsys.readouterr().err
    model = onnx.load(path)
    del model.graph.output[:]
    onnx.save(model, path)
    assert import_model(tmp_path, path, *more, "--state", "h0=hn") == 2
    del model.graph.input[1:]
    del model.graph.node[-3:]
    onnx.save(model, path)
    assert import_model(tmp_path, path, *more) == 65
    assert "the model has no output but states" in capsys.readouterr().err


def test_a_window_that_no_memory_holds_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", is_free=True)
    pipeline = tmp_path / "p.toml"
    pipeline.write_text(
        "[window]\nkind = 'sliding'\nwindow_samples = 1000000000\nhop_samples = 5\n"
    )
    more = ("--layout", "batch,channels,time", "--pipeline", str(pipeline))
    assert import_model(tmp_path, path, *more) == 2
    assert "a window of 1000000000 samples" in capsys.readouterr().err


def test_a_producer_steers_no_terminal(tmp_path: Path) -> None:
    path = foreign_ctc(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.producer_name = "some\x1b[2J\none"
    onnx.save(model, path)
    assert import_model(tmp_path, path, "--layout", "batch,channels,time") == 0
    bundle = load_bundle(tmp_path / "b.eegb")
    assert bundle.manifest.provenance.recipe["foreign"]["producer"] == "some\\x1b[2J\\none"
    assert b"\x1b" not in bundle.files["README.md"]
    path.write_bytes(path.read_bytes().replace(b"some\x1b[2J", b"some\xff\xfe\xfd\xfc"))
    assert import_model(tmp_path, path, "--layout", "batch,channels,time", "--force") == 0
    assert rb"some\xff\xfe" in load_bundle(tmp_path / "b.eegb").files["README.md"]


def selection(tmp_path: Path, groups: str = "") -> tuple[str, ...]:
    pipeline = tmp_path / "p.toml"
    pipeline.write_text(
        "[window]\nkind = 'event'\noffset_samples = 0\nlength_samples = 20\n"
        f"checkpoints_samples = [10, 20]\n{groups}"
    )
    (tmp_path / "vocabulary.txt").write_text("A\nB\n")
    layouts = ("--layout", "batch,1,channels,time", "--output-layout", "batch,time,symbols")
    return (*layouts, "--pipeline", str(pipeline))


def test_logits_that_add_up_to_one_by_chance_are_logits(tmp_path: Path) -> None:
    """Two numbers are now and then above 0 with a sum of 1: one row in some hundreds."""
    path = foreign_scores(tmp_path / "m.onnx", n_columns=2, is_late=True)
    foreign = Foreign(
        input="x",
        output="y",
        input_axes=("batch", "1", "channels", "time"),
        output_axes=("batch", "time", "symbols"),
        kind="logits",
        sizes={"batch": 1, "time": 20, "channels": 3, "bands": 1},
    )
    raw = RawModel(path.read_bytes(), foreign, where="m")
    windows = 5 * np.random.default_rng(0).standard_normal((1000, 20, 3), dtype=np.float32)
    raw.check_kind(windows)
    by_chance = 0
    for window in windows:
        try:
            raw.check_kind(window[np.newaxis])
        except BundleError:
            by_chance += 1
    assert 0 < by_chance < 50


@pytest.mark.parametrize("n_columns", [1, 2])
def test_a_score_of_one_stimulus_is_the_log_of_its_odds(tmp_path: Path, n_columns: int) -> None:
    path = foreign_scores(tmp_path / "m.onnx", n_columns=n_columns)
    more = selection(tmp_path, groups="[groups]\nr1 = ['A']\nr2 = ['B']\n")
    assert import_model(tmp_path, path, *more, head="selection") == 0
    bundle = load_bundle(tmp_path / "b.eegb")
    assert bundle.manifest.model.output.shape == (1, 2, 1)
    window = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    raw = session.run(None, {"x": window.T[np.newaxis, np.newaxis]})[0][0]
    wanted = raw if n_columns == 1 else raw[:, 1:] - raw[:, :1]
    got = OnnxModel(open_session(bundle), bundle.manifest.model).run(window)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_early_scores_that_hear_later_samples_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign_scores(tmp_path / "m.onnx", n_columns=2, is_late=True)
    assert import_model(tmp_path, path, *selection(tmp_path), head="selection") == 65
    assert "row 0 of its output depends on samples after 10" in capsys.readouterr().err


def test_the_pipeline_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = foreign_ctc(tmp_path / "m.onnx")
    pipeline = tmp_path / "p.toml"
    for text, said in (
        ("[[bands]]\nlow = 1", "unknown field `low`"),
        ("[[bands]]\nlow_hz = 200.0", "band.low_hz"),
        ("[window]\nkind='sliding'\nwindow_samples=20\nhop_samples=3", "whole frames"),
        ("x = ", "not TOML"),
    ):
        pipeline.write_text(text)
        more = ("--layout", "batch,channels,time", "--pipeline", str(pipeline))
        assert import_model(tmp_path, path, *more) in {2, 65}
        assert said in capsys.readouterr().err


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    at=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5),
    keep=st.integers(0, 4000),
)
def test_any_damage_is_one_of_our_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], at: list[tuple[int, int]], keep: int
) -> None:
    path = foreign_ctc(tmp_path / "m.onnx", has_state=True)
    data = bytearray(path.read_bytes())
    if keep < len(data) // 4:
        data = data[: 4 * keep]
    for place, value in at:
        if data:
            data[place % len(data)] = value
    path.write_bytes(data)
    more = ("--layout", "batch,channels,time", "--state", "h0=hn", "--force")
    status = import_model(tmp_path, path, *more)
    assert status in {0, 2, 65}
    assert capsys.readouterr().err.count("\n") == (status != 0)
