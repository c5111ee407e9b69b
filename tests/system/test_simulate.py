"""``simulate`` as a headset: what arrives over LSL is what was synthesised."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pylsl
import pytest

from runtime.paradigm import CHANNELS
from runtime.simulation.synthesis import synthesise
from tests.system.daemons import unique

pytestmark = pytest.mark.live

WITHIN_S = 30.0


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.cli", "simulate", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def inlet(name: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("name", name, 1, WITHIN_S)
    assert found, name
    return pylsl.StreamInlet(found[0])


def collect(pull: Callable[[], int], wanted: int) -> None:
    until_s, got = time.monotonic() + WITHIN_S, 0
    while got < wanted and time.monotonic() < until_s:
        got += pull()
    assert got == wanted


def test_every_sample_and_marker_arrives_as_it_was_synthesised() -> None:
    name = unique("sim")
    session = synthesise("Hi.", seed=4)
    headset = start("--text", "Hi.", "--seed", "4", "--name", name, "--json")
    markers = inlet(f"{name}-markers")
    markers.open_stream(WITHIN_S)
    eeg = inlet(name)
    pieces: list[tuple[np.ndarray, list[float]]] = []

    def pull() -> int:
        values, stamps = eeg.pull_chunk(timeout=0.5, max_samples=50)
        pieces.append((np.array(values, np.float32).reshape(-1, len(CHANNELS)), list(stamps)))
        return len(stamps)

    collect(pull, len(session.samples))
    np.testing.assert_array_equal(np.concatenate([p[0] for p in pieces]), session.samples)
    stamps = np.array([stamp for _, piece in pieces for stamp in piece])
    np.testing.assert_allclose(np.diff(stamps), 1 / 250.0, atol=1e-6)
    truth = [markers.pull_sample(timeout=5.0) for _ in session.truth()]
    assert [text for (text,), _ in truth] == ["text:hi.", "text:end"]
    places = [round((stamp - stamps[0]) * 250.0) for _, stamp in truth]
    assert places == [index for index, _ in session.truth()]
    out, _ = headset.communicate(timeout=WITHIN_S)
    assert headset.returncode == 0
    assert json.loads(out.splitlines()[-1])["samples"] == len(session.samples)


def test_says_so_when_nobody_listens() -> None:
    headset = start("--text", "a", "--name", unique("alone"), "--wait", "0.5")
    out, err = headset.communicate(timeout=WITHIN_S)
    assert headset.returncode == 69
    assert out == ""
    assert err.startswith("eegscribe: ")
    assert err.count("\n") == 1
