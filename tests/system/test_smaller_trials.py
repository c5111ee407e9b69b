"""A bundle that selects, and its training gone on with: by prune, by optimize, by quantize."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from models.bundle import load_bundle
from models.weights import unpack
from tests.given import needs_data, recording
from tests.ssvep_recordings import write_layout, write_session
from tools.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = (
    "network.n_temporal=4", "network.n_pointwise=10", "network.patch_s=0.008",
    "network.pool_s=0.024", "network.pool_again=2", "signal.line_hz=40.0",
)  # fmt: skip
QUICK = ("--batches", "1", "--blocks", "2", "--windows", "4", "--json")

Given = tuple["list[Path]", "Path"]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Three sessions, and a bundle that has learnt to read from the first two."""
    folder = tmp_path_factory.mktemp("given")
    paths = [write_session(folder / f"{k}.npy", seed=k, amplitude=3.0) for k in (1, 2, 3)]
    layout, out = write_layout(folder / "keys.layout"), folder / "b.eegb"
    words = ["--layout", str(layout), "--recipe", "eegnet-ssvep", "--out", str(out)]
    changes = [word for change in NETWORK for word in ("--set", change)]
    assert main(["train", *map(str, paths[:2]), *words, "--steps", "60", *changes]) == 0
    return paths, out


def prune(given: Given, out: Path, *words: str) -> int:
    paths, bundle = given
    return main(["prune", str(bundle), *map(str, paths), "--out", str(out), *QUICK, *words])


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_filters_go_and_what_is_left_selects(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.eegb"
    assert prune(given, out, "--amount", "temporal=0.5,pointwise=0.3", "--steps", "40") == 0
    told, bundle, parent = summary(capsys), load_bundle(out), load_bundle(given[1])
    network: Any = unpack(bundle)
    assert (network.settings.n_temporal, network.settings.n_pointwise) == (2, 7)
    assert network.scale.tolist() == unpack(parent).scale.tolist()  # type: ignore[operator]
    assert bundle.manifest.pipeline == parent.manifest.pipeline
    assert bundle.manifest.provenance.data == parent.manifest.provenance.data
    assert bundle.manifest.provenance.parent == parent.sha256
    assert bundle.manifest.provenance.recipe["network"]["n_temporal"] == 2
    assert (told["unit"], told["n_texts"], told["data"]) == ("selections", 24, "recorded")
    original, cut, tuned = (line["errors"]["cer"] for line in told["lines"])
    assert original <= tuned < 0.25 < told["constant"]
    assert tuned <= cut
    assert main(["replay", str(given[0][2]), "--bundle", str(out), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["transcript"]) > 0


@pytest.mark.parametrize("method", ["iterative", "magnitude", "lottery"])
def test_the_other_methods_know_trials_too(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    words = ("--method", method, "--amount", "0.5", "--steps", "3", "--rounds", "2")
    assert prune(given, tmp_path / "o.eegb", *words) == 0
    told = summary(capsys)
    assert told["method"] == method
    assert told["sparsity"] > 0.3
    scales = [unpack(load_bundle(path)).scale for path in (tmp_path / "o.eegb", given[1])]
    assert scales[0].tolist() == scales[1].tolist()  # type: ignore[operator]


def test_sensitivity_is_of_windows_that_were_not_learnt_from(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prune(given, tmp_path / "o", "--method", "sensitivity", "--amount", "0.3,0.7") == 0
    told = summary(capsys)
    assert [curve["kind"] for curve in told["curves"]] == ["temporal", "pointwise"]
    assert all(len(curve["figures"]["error"]) == 2 for curve in told["curves"])


def test_recordings_that_do_not_do_are_refused_in_a_sentence(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, bundle = given
    words = ("--amount", "0.5")
    assert prune((paths[:2], bundle), tmp_path / "o", *words) == 65
    assert "wanted a labelled recording more that it has not" in capsys.readouterr().err
    assert prune((paths[2:], bundle), tmp_path / "o", *words) == 65
    assert "has learnt from none of them, wanted one that it has" in capsys.readouterr().err
    assert main(["prune", str(bundle), "--simulate", "--out", str(tmp_path / "o"), *words]) == 2
    assert not (tmp_path / "o").exists()


def test_its_training_goes_on_with_rounded_weights(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, bundle = given
    words = ["--method", "qat", "--steps", "3", "--allow-slower", *QUICK[2:]]
    inputs = [str(bundle), *map(str, paths)]
    assert main(["quantize", *inputs, *words, "--out", str(tmp_path / "q.eegb")]) == 0
    told = summary(capsys)
    assert (told["kept"], told["unit"], told["n_texts"]) == ("int4, trained", "selections", 24)
    assert "trained with rounded weights for 3 steps" in (
        load_bundle(tmp_path / "q.eegb").files["README.md"].decode()
    )
    assert main(["quantize", str(bundle), str(paths[2]), *words, "--force"]) == 65
    assert "has learnt from none of them" in capsys.readouterr().err


def test_optimize_prunes_it_where_what_it_learnt_from_is_given(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, bundle = given
    words = ["--max-drop", "50%", "--walks", "2", "--steps", "2", *QUICK[2:]]
    main(["optimize", str(bundle), *map(str, paths), "--out", str(tmp_path / "o.eegb"), *words])
    told = summary(capsys)  # whether a step was kept is for the clock to say
    assert (told["unit"], told["n_search"]) == ("selections", 48)
    pruned = [walk["steps"][0] for walk in told["walks"] if walk["amounts"]]
    assert [step["name"] for step in pruned] == ["pruned"]
    assert pruned[0]["figures"]["size_bytes"] < load_bundle(bundle).manifest.optimisation.size_bytes


@needs_data
@pytest.mark.parametrize(
    ("kind", "layout", "names"),
    [
        ("ssvep", "ssvep32_layout.json", ("ssvep32_run1.xdf", "ssvep32_run3.xdf")),
        ("p300", "p300_layout.json", ("p300_s1.xdf", "p300_s2.xdf")),
    ],
)
def test_given_recordings_prune(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    layout: str,
    names: tuple[str, str],
) -> None:
    learnt, new = (recording(name) for name in names)
    bundle, out = tmp_path / "b.eegb", tmp_path / "small.eegb"
    words = ["--layout", str(recording(layout)), "--recipe", f"eegnet-{kind}", "--steps", "4"]
    assert main(["train", str(learnt), *words, "--out", str(bundle)]) == 0
    words = ["--amount", "0.4", "--steps", "2", "--out", str(out), *QUICK]
    assert main(["prune", str(bundle), str(learnt), str(new), *words]) == 0
    told = summary(capsys)
    assert told["n_texts"] == {"ssvep": 64, "p300": 5}[kind]
    assert 0.3 < told["sparsity"] < 0.8
