"""Every bundle that a verb makes: it opens, says where it is from, replays, and runs live.

One small network is trained and handed to each verb that makes a bundle of another one. After three
steps it writes nonsense, but it writes. Demonstrations take seconds of real time and little work:
they run two at a time while the next bundles are made.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.bundle import load_bundle
from models.golden import check_golden
from models.onnx_backend import OnnxModel, open_session
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from runtime.store import find
from tests.foreign_models import write_speech
from tests.ssvep_recordings import write_layout, write_session
from tests.system.daemons import eegscribe
from tools.cli import VERBS, main
from tools.recordings.digests import digests
from tools.verbs.simulate import write_xdf

TEXTS = ("abet", "beat", "tab", "bate", "teab", "eat")
SMALL = ("network.n_hidden=24", "network.n_features=16", "network.n_layers=2",
         "training.keep_early=1", "data.held_out=0.3")  # fmt: skip
SET = tuple(word for change in SMALL for word in ("--set", change))
QUICK = ("--blocks", "2", "--windows", "4", "--texts", "1")
PRUNE = ("prune", "train.eegb", "data.xdf", "--amount", "0.4", "--steps", "1", "--batches", "1",
         *QUICK, "--method")  # fmt: skip
QUANTIZE = ("quantize", "train.eegb", "data.xdf", "--allow-slower", *QUICK, "--method")
EXPORT = ("export", "train.eegb", "--recordings", "data.xdf", "--blocks", "2", "--format")

TRAINED = {"train": ("train", "data.xdf", "--steps", "3", "--batch", "2", *SET)}

DERIVED = {
    "quantize dynamic": (*QUANTIZE, "dynamic"),
    "quantize static": (*QUANTIZE, "static"),
    "quantize mixed": (*QUANTIZE, "mixed", "--smaller", "0.95"),
    "quantize qat": (*QUANTIZE, "qat", "--steps", "1"),
    "export onnx-float32": (*EXPORT, "onnx-float32"),
    "export onnx-float16": (*EXPORT, "onnx-float16"),
    "prune structured": (*PRUNE, "structured"),
    "prune iterative": (*PRUNE, "iterative", "--rounds", "2"),
    "prune lottery": (*PRUNE, "lottery"),
    "prune magnitude": (*PRUNE, "magnitude"),
}
"""Bundles of another one, whose digest is then their parent."""

COPIED = {
    "package": ("package", "train.eegb"),
    "models": ("models", "install", "train.eegb", "--name", "stored"),
}
"""The very bundle in another place."""

IMPORTED = {
    "import-onnx": (
        "import-onnx", "model.onnx", "--head", "ctc", "--output-kind", "log-probabilities",
        "--vocabulary", "symbols.txt", "--rate", "250", "--channels", "channels.txt",
        "--pipeline", "pipeline.toml", "--state", "state_0=state_0_next",
        "--state", "state_1=state_1_next",
    ),
}  # fmt: skip
"""A bundle of what is none: of the trained network's ONNX file, told anew."""

SAME = (*COPIED, *IMPORTED, "export onnx-float32")
"""These compute what the network computes."""

LIVE = TRAINED | COPIED | IMPORTED | DERIVED  # what takes long to make comes last

ELSEWHERE = {
    "calibrate": ("calibrate", "trials.npy", "--paradigm", "ssvep", "--layout", "keys.json"),
    "train trials": (
        "train", "trials.npy", "--recipe", "eegnet-ssvep", "--layout", "keys.json", "--steps", "2",
        "--set", "signal.line_hz=40", "--set", "network.n_temporal=2",
    ),
    "import-speech": ("import-speech", "speech.safetensors", "--lexicon", "lexicon.txt"),
}  # fmt: skip
"""Bundles for other heads and channels than the simulated headset has: they run in no demo."""

HEARD = {"calibrate": "trials.npy", "train trials": "trials.npy", "import-speech": "features.npy"}
"""What a bundle hears in its replay, if not ``later.xdf``."""

ALTER = {"evaluate", "sweep"}
"""These put a verdict or a threshold into a bundle that is there; their own tests replay it."""

APART = {"optimize"}
"""Makes a bundle only of what reads, and where machine and texts prove it: see its own tests."""

MAKE_NONE = {
    "demo", "init", "check", "run", "listen", "simulate", "replay", "data", "score", "compare",
    "train-lm", "lexicon", "schema", "forget", "bench", "profile",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """What a verb made; ``demo`` is its demonstration, if it has one."""

    code: int
    path: Path
    demo: Future[subprocess.CompletedProcess[str]] | None


@dataclass(frozen=True, slots=True)
class Shop:
    """The folder with everything that is made from and made, and what each verb made."""

    folder: Path
    pool: ThreadPoolExecutor
    made: dict[str, Made] = field(default_factory=dict)

    def make(self, name: str, words: tuple[str, ...]) -> None:
        out = self.folder / f"{name.replace(' ', '-')}.eegb"
        code = main([*words] if "install" in words else [*words, "--out", str(out)])
        path = find("stored") if "install" in words else out
        assert path is not None, name
        demo = None
        if name in LIVE and code == 0:
            shown = ("demo", "--bundle", path, "--text", "a", "--seed", "1", "--json")
            demo = self.pool.submit(eegscribe, *shown)
        self.made[name] = Made(code, path, demo)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """All bundles, made; demonstrations may still be running."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.chdir(folder)
        patch.delenv("STATE_DIRECTORY", raising=False)
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
        write_recordings(folder)
        found = Shop(folder, pool)
        found.make("train", TRAINED["train"])
        write_parts(folder)
        for name, words in (LIVE | ELSEWHERE).items():
            if name not in TRAINED:
                found.make(name, words)
        yield found


def write_recordings(folder: Path) -> None:
    """Write what bundles are made from and what they hear."""
    for name, texts, seed in (("data", TEXTS, 1), ("later", ("tea",), 2)):
        session = synthesise(list(texts), seed=seed, settings=SynthesisSettings(between_s=4.0))
        write_xdf(folder / f"{name}.xdf", session, name=name, rate_hz=250.0)
    write_session(folder / "trials.npy", seed=1)
    write_layout(folder / "keys.json")
    channels = write_speech(folder / "speech.safetensors", lexicon=folder / "lexicon.txt")
    features = np.random.default_rng(0).standard_normal((600, len(channels))).astype(np.float32)
    np.save(folder / "features.npy", features)
    sidecar = {"rate_hz": 50.0, "channels": channels, "markers": []}
    (folder / "features.json").write_text(json.dumps(sidecar))


def write_parts(folder: Path) -> None:
    """Take the trained bundle apart, as if its network were somebody else's."""
    bundle = load_bundle(folder / "train.eegb")
    spec = bundle.manifest.pipeline
    (folder / "model.onnx").write_bytes(bundle.files["model.onnx"])
    (folder / "channels.txt").write_text("\n".join(spec.channels))
    (folder / "symbols.txt").write_text(
        "\n".join(symbol or "<blank>" for symbol in spec.vocabulary)
    )
    told = msgspec.to_builtins(spec)
    tables = {"[bands]": told["bands"][0]} | {
        k: told[k] for k in ("normalise", "window", "decoder")
    }
    lines = []
    for title, table in tables.items():
        known = {k: v for k, v in table.items() if v is not None and k != "sos"}
        lines += [f"[{title}]", *(f"{k} = {json.dumps(v)}" for k, v in known.items())]
    (folder / "pipeline.toml").write_text("\n".join(lines))


def replayed(shop: Shop, name: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the messages of a replay, the last one its summary."""
    capsys.readouterr()
    heard, bundle = HEARD.get(name, "later.xdf"), str(shop.made[name].path)
    assert main(["replay", heard, "--bundle", bundle, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def transcript_of(finals: list[dict[str, Any]]) -> str:
    said = ""
    for final in finals:
        said = said[: len(said) - final["delete"]] + final["text"]
    return said


def texts(messages: list[dict[str, Any]]) -> list[tuple[str, str, list[int]]]:
    return [(m["topic"], m["text"], m["samples"]) for m in messages if "text" in m]


@pytest.mark.parametrize("name", [*LIVE, *ELSEWHERE])
def test_it_opens_with_its_golden_vectors_and_says_where_it_is_from(shop: Shop, name: str) -> None:
    made, words = shop.made[name], (LIVE | ELSEWHERE)[name]
    assert made.code == 0
    bundle, parent = load_bundle(made.path), load_bundle(shop.made["train"].path)
    manifest, provenance = bundle.manifest, bundle.manifest.provenance
    check_golden(bundle, OnnxModel(open_session(bundle), manifest.model))
    if name in COPIED:
        assert bundle.sha256 == parent.sha256
        return
    assert provenance.command.startswith(f"eegscribe {words[0]} ")
    assert words[1] in provenance.command
    assert provenance.parent == (parent.sha256 if name in DERIVED else None)
    source = "data.xdf" if name in DERIVED else words[1]
    assert provenance.data[source] == digests([shop.folder / source])[source]


@pytest.mark.parametrize("name", [*LIVE, *ELSEWHERE])
def test_it_replays(shop: Shop, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    *messages, summary = replayed(shop, name, capsys)
    finals = [m for m in messages if m["topic"] == "text.final"]
    assert summary["type"] == "summary"
    assert summary["transcript"] == transcript_of(finals)
    assert summary["lost_samples"] == 0
    assert {m["model"]["sha256"] for m in finals} <= {load_bundle(shop.made[name].path).sha256}
    if name in SAME:
        assert summary["transcript"]
        assert texts(messages) == texts(replayed(shop, "train", capsys))


@pytest.mark.parametrize("name", LIVE)
def test_it_runs_live(shop: Shop, name: str) -> None:
    demo = shop.made[name].demo
    assert demo is not None
    shown = demo.result()
    assert shown.returncode == 0, shown.stderr
    *messages, summary = [json.loads(line) for line in shown.stdout.splitlines()]
    assert (summary["type"], summary["reference"]) == ("summary", "a")
    healths = [m for m in messages if m["topic"] == "health"]
    assert healths[-1]["counters"]["windows_decoded"] > 20
    written = [m for m in messages if m["topic"].startswith("text.")]
    if name in ("train", *SAME):
        assert summary["transcript"]
    digest = load_bundle(shop.made[name].path).sha256
    assert {m["model"]["sha256"] for m in written} <= {digest}


def test_no_verb_is_forgotten() -> None:
    made = {words[0] for words in (LIVE | ELSEWHERE).values()}
    assert made | ALTER | APART | MAKE_NONE == set(VERBS), "a new verb: which bundles does it make?"
    assert not made & (ALTER | APART | MAKE_NONE)
