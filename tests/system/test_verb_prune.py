"""``eegscribe prune``: from a bundle that was trained here to a smaller one that opens and runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from models.bundle import load_bundle
from models.weights import EARLY, unpack, unpack_early
from runtime.engine import open_engine
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tests.bundles import make_bundle
from tools.cli import main
from tools.compression.pruning.masks import zeros_share
from tools.training.transcribe import finals
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = (
    "network.n_hidden=12",
    "network.n_features=8",
    "network.n_layers=2",
    "training.keep_early=2",
    "data.held_out=0.3",
)
QUICK = ("--steps", "2", "--batches", "1", "--blocks", "2", "--windows", "4", "--json")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recording, and a bundle that three steps of training made of it."""
    folder = tmp_path_factory.mktemp("given")
    recording, bundle = folder / "r.xdf", folder / "b.eegb"
    settings = SynthesisSettings(between_s=8.0)
    session = synthesise(["ab", "ba", "aab", "bb", "abb"], seed=1, settings=settings)
    write_xdf(recording, session, name="r", rate_hz=250.0)
    changes = [word for change in NETWORK for word in ("--set", change)]
    words = ["--steps", "3", "--batch", "2", "--out", str(bundle), *changes]
    assert main(["train", str(recording), *words]) == 0
    return recording, bundle


def prune(given: tuple[Path, Path], out: Path, *words: str) -> int:
    recording, bundle = given
    return main(["prune", str(bundle), str(recording), "--out", str(out), *QUICK, *words])


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


@pytest.mark.parametrize("method", ["structured", "iterative"])
def test_whole_units_go_and_the_bundle_says_where_it_is_from(
    given: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    method: str,
) -> None:
    before, out = given[1].read_bytes(), tmp_path / "small.eegb"
    words = ("--method", method, "--amount", "hidden=0.5,features=0.25", "--rounds", "2")
    assert prune(given, out, *words) == 0
    told, bundle, parent = summary(capsys), load_bundle(out), load_bundle(given[1])
    assert given[1].read_bytes() == before
    network: Any = unpack(bundle)
    assert (network.settings.n_hidden, network.settings.n_features) == (6, 6)
    assert bundle.manifest.model.state[0].shape == (2, 1, 6)
    assert bundle.manifest.pipeline == parent.manifest.pipeline
    assert bundle.manifest.provenance.parent == parent.sha256 == told["parent"]
    assert bundle.manifest.provenance.command.startswith("eegscribe ")
    assert bundle.manifest.provenance.recipe["network"]["n_hidden"] == 6
    assert bundle.manifest.evaluation.verdict == "not evaluated"
    assert bundle.manifest.confidence is None
    assert 0.2 < bundle.manifest.optimisation.sparsity == pytest.approx(told["sparsity"], abs=1e-6)
    assert set(bundle.manifest.optimisation.latency_ms) == {"p50", "p99"}
    assert [line["name"] for line in told["lines"]] == [
        "original",
        "pruned, as it is",
        "fine-tuned",
    ]
    assert told["sha256"] == bundle.sha256
    assert EARLY not in bundle.files
    finals(open_engine(out), synthesise("ab", seed=5).samples)  # golden vectors hold, it runs
    assert json.loads(out.with_name("small.prune.json").read_text())["parent"] == parent.sha256
    assert not out.with_name("small.eegb.pruning").exists()


def test_a_pruned_bundle_is_pruned_again(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert prune(given, once, "--amount", "hidden=0.5", "--importance", "magnitude") == 0
    assert prune((given[0], once), twice, "--amount", "hidden=0.5") == 0
    network: Any = unpack(load_bundle(twice))
    assert network.settings.n_hidden == 3
    assert load_bundle(twice).manifest.provenance.parent == load_bundle(once).sha256


def test_single_weights_stay_zero_and_nobody_calls_it_faster(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sparse"
    assert prune(given, out, "--method", "magnitude", "--amount", "0.8") == 0
    told, network = summary(capsys), unpack(load_bundle(out))
    share = zeros_share(network)
    assert share > 0.5
    assert told["sparsity"] == pytest.approx(share)
    original, _, tuned = told["lines"]
    assert tuned["n_parameters"] == original["n_parameters"]
    assert tuned["packed_bytes"] < original["packed_bytes"]
    assert "a dense runtime is not faster" in told["notes"][0]


def test_a_ticket_rewinds_to_early_weights_and_is_compared_with_a_fresh_one(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early, late = unpack_early(load_bundle(given[1])), unpack(load_bundle(given[1]))
    assert early is not None
    assert not torch.equal(early.head.weight, late.head.weight)
    out = tmp_path / "ticket"
    assert prune(given, out, "--method", "lottery", "--amount", "hidden=0.5") == 0
    told = summary(capsys)
    names = [line["name"] for line in told["lines"]]
    assert names == ["original", "pruned, as it is", "ticket", "from scratch"]
    assert told["kept"] == "ticket"
    assert "the weights kept early in the training" in told["notes"][0]


def test_sensitivity_is_a_curve_a_layer_and_no_bundle(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "curves"
    assert prune(given, out, "--method", "sensitivity", "--amount", "0.3,0.7") == 0
    told = summary(capsys)
    assert [curve["layer"] for curve in told["curves"]] == ["filters", "gru.0", "gru.1"]
    assert all(len(curve["figures"]["cer"]) == 2 for curve in told["curves"])
    assert sorted(path.name for path in out.iterdir()) == ["sensitivity.json", "sensitivity.png"]
    assert (out / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_pruned_is_refused_in_a_sentence(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "bare")
    assert prune((given[0], tmp_path / "bare"), tmp_path / "o", "--amount", "0.5") == 65
    assert "holds no weights.safetensors, wanted a trainable bundle" in capsys.readouterr().err
    assert prune(given, tmp_path / "o", "--amount", "heads=0.5") == 2
    assert "--amount: got 'heads', wanted some of hidden, features" in capsys.readouterr().err
    words = ["--amount", "0.5", "--out", str(tmp_path / "o")]
    assert main(["prune", str(given[1]), "--simulate", *words]) == 2
    assert "was trained on recordings, wanted recordings" in capsys.readouterr().err
    assert prune(given, given[1], "--amount", "0.5", "--force") == 2
    assert not (tmp_path / "o").exists()
