from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.bundle import Bundle, load_bundle, write_bundle
from models.golden import GOLDEN, StepVectors, check_golden, write_golden
from models.onnx_backend import OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session
from pipeline.errors import BundleError
from tests.bundles import LETTERS, make_bundle, seq2seq_step
from tests.unit.models.test_bundle import edit_manifest, onnx_bytes

N_ROWS = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "b", head="seq2seq")
    return tmp_path / "b"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("bundle") / "b.eegb"
    make_bundle(path, head="seq2seq")
    return load_bundle(path)


def stepper(bundle: Bundle) -> OnnxStepper:
    assert bundle.manifest.step is not None
    return OnnxStepper(open_step_session(bundle), bundle.manifest.step, bundle.manifest.model)


def some_memory(seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    memory = 20 * rng.random((1, 12, len(LETTERS)))
    memory[:, :, 0] = 14
    return memory.astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), n_steps=st.integers(1, 8))
def test_rows_take_over_the_caches_of_their_parents(
    bundle: Bundle, data: st.DataObject, n_steps: int
) -> None:
    rows = st.lists(st.integers(0, N_ROWS - 1), min_size=N_ROWS, max_size=N_ROWS)
    symbols = st.lists(st.integers(1, len(LETTERS) - 1), min_size=N_ROWS, max_size=N_ROWS)
    beam, alone = stepper(bundle), stepper(bundle)
    beam.begin(some_memory())
    histories: list[list[int]] = [[0]] * N_ROWS
    tokens, parents = np.zeros(N_ROWS, np.int64), np.arange(N_ROWS)
    for position in range(n_steps):
        log_p, attention = (a.copy() for a in beam.step(tokens, parents, position))
        for row, history in enumerate(histories):
            alone.begin(some_memory())
            for k, token in enumerate(history):
                row_tokens = np.full(N_ROWS, token)
                single, looked = alone.step(row_tokens, np.arange(N_ROWS), k)
            np.testing.assert_allclose(log_p[row], single[0], atol=1e-6)
            np.testing.assert_allclose(attention[row], looked[0], atol=1e-6)
        parents = np.array(data.draw(st.one_of(rows, st.just(list(range(N_ROWS))))))
        tokens = np.array(data.draw(symbols))
        histories = [[*histories[p], int(t)] for p, t in zip(parents, tokens, strict=True)]


def test_a_new_memory_begins_from_nothing(bundle: Bundle) -> None:
    used, fresh = stepper(bundle), stepper(bundle)
    start, same = np.zeros(N_ROWS, np.int64), np.arange(N_ROWS)
    used.begin(some_memory(1))
    used.step(start, same, 0)
    used.step(np.array([1, 2, 3, 1]), same[::-1], 1)
    used.begin(some_memory(2))
    fresh.begin(some_memory(2))
    np.testing.assert_array_equal(used.step(start, same, 0)[0], fresh.step(start, same, 0)[0])
    used.warm_up()


def test_a_step_decoder_without_its_head_and_a_head_without_it(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, step=None)
    with pytest.raises(BundleError, match="step: missing, wanted the step decoder of a seq2seq"):
        load_bundle(folder)
    make_bundle(folder)
    ctc = load_bundle(folder)
    with pytest.raises(BundleError, match="has no step decoder"):
        open_step_session(ctc)
    edit_manifest(folder, step=manifest["step"])
    with pytest.raises(BundleError, match="wanted none but for a seq2seq head"):
        load_bundle(folder)


STEP_FAULTS: list[tuple[str, Any, str]] = [
    ("path", "other.onnx", r"step\.path: got 'other\.onnx', wanted a listed file of its own"),
    ("path", "model.onnx", r"step\.path: got 'model\.onnx', wanted a listed file of its own"),
    ("n_rows", 0, "n_rows of 1 to 4096"),
    ("n_rows", 3, r"step\.output\.shape: got \(4, 5\), wanted \(3, 5\)"),
    ("max_symbols", 1, "max_symbols of 2 to 65536"),
    ("output", {"name": "log_probs", "shape": [4, 6]}, r"step\.output\.shape: got \(4, 6\)"),
    ("attention", {"name": "attention", "shape": [4, 9]}, r"wanted \(4, 12\)"),
    ("cache", [{"input": "a", "output": "b", "shape": []}], "wanted positive sizes"),
    ("cache", [{"input": "a", "output": "b", "shape": [4, 0]}], "wanted positive sizes"),
    ("cache", [{"input": "a", "output": "b", "shape": [5, 2]}], "wanted 4 rows first"),
    ("extra", 1, "unknown field `extra`"),
]


@pytest.mark.parametrize(("key", "value", "message"), STEP_FAULTS)
def test_steps_that_do_not_fit_are_refused_in_one_sentence(
    folder: Path, key: str, value: Any, message: str
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, step={**manifest["step"], key: value})
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


DECODER = {"head": "seq2seq", "stability_s": 0.4}
WINDOW = {"kind": "sliding", "window_samples": 120, "hop_samples": 20}
PIPELINE_FAULTS: list[tuple[str, Any, str]] = [
    ("decoder", DECODER | {"beam": 5}, r"decoder\.beam: got 5, wanted at most 4 rows"),
    ("decoder", DECODER | {"max_symbols": 16}, r"decoder\.max_symbols: got 16, wanted at most 15"),
    ("decoder", DECODER | {"n_agree": 0}, r"decoder\.n_agree: got 0, wanted 1 to 100"),
    ("decoder", DECODER | {"n_agree": 7}, r"decoder\.n_agree: got 7, wanted at most 6"),
    (
        "decoder",
        DECODER | {"stability_s": 0.41},
        r"decoder\.stability_s: got 0\.41, wanted at most",
    ),
    ("decoder", DECODER | {"length_alpha": -1}, r"decoder\.length_alpha: got -1"),
    ("decoder", DECODER | {"method": "guess"}, "Invalid enum value 'guess'"),
    ("decoder", DECODER | {"prune_logp": -7.0}, "unknown field `prune_logp`"),
    ("window", WINDOW | {"hop_samples": 120}, "wanted hop_samples < window_samples"),
    ("window", WINDOW | {"lookahead_samples": 10}, "no lookahead_samples"),
    ("vocabulary", ["a", "b", "c", "d", "e"], "wanted the end ''"),
    ("vocabulary", ["", "b"], r"step\.output\.shape"),
    (
        "window",
        {"kind": "event", "offset_samples": 0, "length_samples": 9, "checkpoints_samples": [9]},
        "wanted sliding for a seq2seq head",
    ),
]


@pytest.mark.parametrize(("key", "value", "message"), PIPELINE_FAULTS)
def test_pipelines_that_do_not_fit_the_head_are_refused(
    folder: Path, key: str, value: Any, message: str
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, pipeline={**manifest["pipeline"], key: value})
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


def test_an_encoder_with_a_state_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    state = [{"input": "s", "output": "t", "shape": [1]}]
    edit_manifest(folder, model={**manifest["model"], "state": state})
    with pytest.raises(BundleError, match=r"model\.state: wanted none for a seq2seq head"):
        load_bundle(folder)


def test_a_step_decoder_is_scanned_like_every_model(folder: Path) -> None:
    bundle = load_bundle(folder)
    files = {**bundle.files, "step.onnx": onnx_bytes(external=True)}
    with pytest.raises(BundleError, match=r"step\.onnx: has external data"):
        write_bundle(folder, bundle.manifest, files)
    edit_manifest(
        folder,
        step={**json.loads((folder / "manifest.json").read_text())["step"], "path": "README.md"},
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["README.md"] = manifest["files"].pop("step.onnx")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "step.onnx").rename(folder / "README.md")
    load_bundle(folder)  # scanned whatever its name
    data = (folder / "README.md").read_bytes()
    with pytest.raises(BundleError, match=r"README\.md: not an ONNX file"):
        write_bundle(folder, load_bundle(folder).manifest, {**bundle.files, "README.md": data[:50]})


def test_a_step_decoder_that_takes_other_tensors_is_refused(folder: Path) -> None:
    bundle = load_bundle(folder)
    data, _ = seq2seq_step(n_rows=5)
    write_bundle(folder, bundle.manifest, {**bundle.files, "step.onnx": data})
    with pytest.raises(BundleError, match=r"step\.onnx: inputs are .* the manifest says") as caught:
        open_step_session(load_bundle(folder))
    assert "\n" not in str(caught.value)


def test_golden_steps_that_do_not_hold_are_refused(folder: Path) -> None:
    bundle = load_bundle(folder)
    model = OnnxModel(open_session(bundle), bundle.manifest.model)
    step = stepper(bundle)
    check_golden(bundle, model, step)
    with np.load(folder / GOLDEN) as arrays:
        golden = {name: arrays[name] for name in arrays.files}

    def with_steps(**changes: NDArray[Any]) -> None:
        given = {k: golden[k] for k in ("tokens", "log_probs", "attention")} | changes
        data = write_golden(golden["windows"], golden["outputs"], StepVectors(**given))
        write_bundle(folder, bundle.manifest, {**bundle.files, GOLDEN: data})
        check_golden(load_bundle(folder), model, step)

    with_steps()
    with pytest.raises(BundleError, match="the step decoder is off by 0.1"):
        with_steps(log_probs=golden["log_probs"] + np.float32(0.1))
    with pytest.raises(BundleError, match="the step decoder's attention is off by"):
        with_steps(attention=golden["attention"][:, :, :, ::-1])
    with pytest.raises(BundleError, match="off by nan"):
        with_steps(log_probs=golden["log_probs"] * np.float32(np.nan))
    with pytest.raises(BundleError, match="got steps of shapes"):
        with_steps(tokens=golden["tokens"][:, :, :3])
    with pytest.raises(BundleError, match="got steps of shapes"):
        with_steps(tokens=golden["tokens"][:2])
    with pytest.raises(BundleError, match="wanted symbols of the vocabulary, the start first"):
        with_steps(tokens=golden["tokens"] + 7)
    data = write_golden(golden["windows"], golden["outputs"])
    write_bundle(folder, bundle.manifest, {**bundle.files, GOLDEN: data})
    with pytest.raises(BundleError, match="unreadable"):
        check_golden(load_bundle(folder), model, step)
