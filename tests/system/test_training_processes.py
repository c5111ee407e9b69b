"""Training as processes: killed at any moment, or several of them sharing every step."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from runtime.simulation.synthesis import synthesise
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [
    "--seed", "3", "--set", "network.n_hidden=8", "--set", "network.n_layers=2",
    "--set", "network.dropout=0.2", "--set", "data.held_out=0", "--set", "data.augment.noise=0.5",
]  # fmt: skip
SMALL_SEQ2SEQ = [
    "--recipe", "recurrent", "--seed", "3", "--set", "network.n_units=8",
    "--set", "network.n_decoder=8", "--set", "network.n_features=8", "--set", "window.window_s=3.2",
    "--set", "data.held_out=0", "--set", "data.augment.noise=0.5",
]  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "r.xdf"
    session = synthesise(["ab", "ba b", "bb", "a", "abba", "b a"], seed=1)
    write_xdf(path, session, name="r", rate_hz=250.0)
    return path


def start(
    out: Path, recording: Path, *words: str, small: list[str] = SMALL
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tools.cli", "train", str(recording), *small, *words]
    return subprocess.Popen([*command, "--out", str(out), "--force"])


def weights(bundle: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(bundle / "weights.safetensors")
    return found


@pytest.mark.parametrize("small", [SMALL, SMALL_SEQ2SEQ], ids=["ctc", "seq2seq"])
def test_killed_at_random_steps_it_ends_with_the_same_weights(
    tmp_path: Path, recording: Path, small: list[str]
) -> None:
    words = ["--steps", "60", "--set", "training.checkpoint_every=7"]
    words += ["--batch", "3", "--set", "training.validate_every=0"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole, recording, *words, small=small).wait(timeout=200) == 0
    folder = tmp_path / "killed.training"
    draw = random.Random(1)  # noqa: S311 - any moments will do
    for n_checkpoints in (1, 3):
        process = start(killed, recording, *words, small=small)
        seen: set[str] = set()
        while len(seen) < n_checkpoints and process.poll() is None:
            seen |= {path.name for path in folder.glob("step-*")}
            time.sleep(0.001)
        time.sleep(draw.uniform(0.0, 0.1))
        assert process.poll() is None, "it was to be killed on its way"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    assert start(killed, recording, *words, small=small).wait(timeout=200) == 0
    assert not folder.exists()
    resumed = weights(killed)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(resumed[name], tensor, atol=0, rtol=0)
    rows = [(tmp_path / f"{name}.metrics.jsonl").read_bytes() for name in ("whole", "killed")]
    assert rows[0] == rows[1]


def test_two_processes_learn_what_one_learns(tmp_path: Path, recording: Path) -> None:
    words = ["--batch", "5", "--steps", "5", "--set", "network.dropout=0.0"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert start(one, recording, *words).wait(timeout=200) == 0
    assert start(two, recording, *words, "--devices", "2").wait(timeout=250) == 0
    shared = weights(two)
    for name, tensor in weights(one).items():
        torch.testing.assert_close(shared[name], tensor, atol=1e-5, rtol=0)
