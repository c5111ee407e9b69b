"""One session as XDF, FIF and in a BIDS folder: the same examples, the same network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.bundle import load_bundle
from models.weights import unpack
from tests.text_recordings import simulated, write_bids, write_fif, write_simulated
from tools.cli import main
from tools.training.data.cache import FilteredCache
from tools.training.data.corpus import read_corpus
from tools.training.data.cuts import cut_corpus
from tools.training.data.example import Example
from tools.training.data.recorded import CutExamples
from tools.training.data.settings import DataSettings
from tools.training.head import Heard
from tools.training.heads import head_of
from tools.training.recipe import read_recipe

TEXTS = (("ab b", "ca"), ("b a", "cab"))
BIDS = DataSettings(text_prefix="sentence/")


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Write two sessions in each format; return the arguments that name them."""
    root = tmp_path_factory.mktemp("sessions")
    made = [simulated(texts, seed=seed) for seed, texts in enumerate(TEXTS)]
    for number, session in enumerate(made):
        write_bids(root / "bids", session, subject="ada", named=str(number))
    return {
        "xdf": [write_simulated(root / f"{k}.xdf", s) for k, s in enumerate(made)],
        "fif": [write_fif(root / f"{k}_raw.fif", s) for k, s in enumerate(made)],
        "bids": [root / "bids"],
    }


def settings_of(kind: str) -> DataSettings:
    return BIDS if kind == "bids" else DataSettings()


def examples_of(paths: list[Path], settings: DataSettings, cache: Path) -> list[Example]:
    corpus = read_corpus(paths, settings)
    assert corpus.problems == ()
    recipe = read_recipe("gru-ctc")
    heard = Heard(corpus.rate_hz, corpus.channels, corpus.symbols, has_lm=False)
    spec = head_of(recipe.family).spec(recipe, heard)
    filtered = FilteredCache(corpus.recordings, spec, folder=cache)
    cuts = cut_corpus(corpus, margin_s=settings.margin_s)
    return list(CutExamples(corpus, cuts, cache=filtered, spec=spec))


def test_every_format_gives_the_same_examples(
    tmp_path: Path, sessions: dict[str, list[Path]]
) -> None:
    found = {
        kind: examples_of(paths, settings_of(kind), tmp_path / kind)
        for kind, paths in sessions.items()
    }
    assert [e.labels for e in found["xdf"]] == [(2, 3, 1, 3), (4, 2), (3, 1, 2), (4, 2, 3)]
    for kind in ("fif", "bids"):
        for one, other in zip(found["xdf"], found[kind], strict=True):
            assert (one.labels, one.rest) == (other.labels, other.rest)
            np.testing.assert_allclose(one.samples, other.samples, atol=1e-3)


def test_who_was_recorded_is_what_bids_says(sessions: dict[str, list[Path]]) -> None:
    corpus = read_corpus(sessions["bids"], BIDS)
    assert [(r.subject, r.session) for r in corpus.recordings] == [("ada", "0"), ("ada", "1")]
    assert len(corpus.digests()) == 8, "header, samples, markers and events of each"


def test_every_format_trains_to_the_same_network(
    tmp_path: Path, sessions: dict[str, list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--steps", "4", "--batch", "2", "--set", "network.n_hidden=8"]
    small += ["--set", "data.held_out=0"]
    networks = {}
    for kind, paths in sessions.items():
        words = ["--set", "data.text_prefix=sentence/"] if kind == "bids" else []
        words += [*small, "--out", str(tmp_path / kind), "--cache", str(tmp_path / "cache")]
        given = [*map(str, paths), *([] if kind == "bids" else ["missing.xdf"])]
        assert main(["train", *given, *words]) == 0
        networks[kind] = unpack(load_bundle(tmp_path / kind)).state_dict()
        said = capsys.readouterr().err
        assert ("left out: missing.xdf: cannot be read" in said) == (kind != "bids")
    n_filtered = len(list((tmp_path / "cache").glob("*.npy")))
    assert n_filtered == 4, "what MNE reads passes through volts: other bits, but the same in both"
    for name, tensor in networks["fif"].items():
        assert torch.equal(networks["bids"][name], tensor)
        torch.testing.assert_close(networks["xdf"][name], tensor, atol=2e-4, rtol=0)
