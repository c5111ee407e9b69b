"""``init`` and ``check`` beside a real LSL outlet: what a person does on the first day."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pylsl
import pytest

from runtime.config import read_config
from tests.bundles import make_bundle
from tests.system.daemons import eegscribe, unique, write_config

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

CHANNELS = ("Fz", "Cz", "Pz", "Oz")


@contextmanager
def headset(
    name: str,
    *,
    channels: tuple[str, ...] = CHANNELS,
    rate_hz: float = 250.0,
    with_markers: bool = True,
    is_on: bool = True,
) -> Iterator[None]:
    """An outlet of noise, and one of markers, until the block ends."""
    info = pylsl.StreamInfo(name, "EEG", len(channels), rate_hz, "float32", f"id-{name}")
    described = info.desc().append_child("channels")
    for label in channels:
        one = described.append_child("channel")
        one.append_child_value("label", label).append_child_value("unit", "microvolts")
    outlet = pylsl.StreamOutlet(info)
    markers = pylsl.StreamInfo(f"{name}-markers", "Markers", 1, 0, "string", f"m-{name}")
    beside = pylsl.StreamOutlet(markers) if with_markers else None
    stopping = threading.Event()

    def send() -> None:
        draw = np.random.default_rng(0)
        began_s, n_sent = time.monotonic(), 0
        while not stopping.wait(0.02):
            n_due = int((time.monotonic() - began_s) * rate_hz) - n_sent
            if n_due > 0:
                outlet.push_chunk(10 * draw.standard_normal((n_due, len(channels))).astype("f4"))
                n_sent += n_due

    sender = threading.Thread(target=send)
    if is_on:
        sender.start()
    try:
        yield
    finally:
        stopping.set()
        if is_on:
            sender.join()
        assert beside is not None or not with_markers


def check(config: Path) -> tuple[int, list[dict[str, Any]], str]:
    told = eegscribe("check", "--config", config, "--timeout", "1.5", "--json")
    *found, summary = [json.loads(line) for line in told.stdout.splitlines()]
    assert summary["type"] == "summary"
    assert summary["exit_code"] == told.returncode
    assert "Traceback" not in told.stderr
    problems = [finding for finding in found if finding["level"] == "problem"]
    assert summary["problems"] == len(problems)
    return told.returncode, problems, told.stdout


@pytest.mark.parametrize("head", ["ctc", "selection"])
def test_all_is_well(tmp_path: Path, head: str) -> None:
    make_bundle(tmp_path / "b", head=head)
    name = unique("well")
    config = write_config(tmp_path, tmp_path / "b", stream=name)
    with headset(name):
        code, problems, told = check(config)
    assert (code, problems) == (0, [])
    for words in ("4 channels at 250 Hz", "all channels look like EEG", "markers come from"):
        assert words in told


def wrong_rate(name: str) -> Any:
    return headset(name, rate_hz=500.0)


def lacking(name: str) -> Any:
    return headset(name, channels=("Fz", "Cz", "Pz", "O2"))


def switched_off(name: str) -> Any:
    return headset(name, is_on=False)


def unmarked(name: str) -> Any:
    return headset(name, with_markers=False)


@pytest.mark.parametrize(
    ("outlet", "code", "words"),
    [
        (wrong_rate, 65, "rate is 500 Hz"),
        (lacking, 65, "Oz"),
        (switched_off, 69, "connected, but no sample came"),
        (unmarked, 69, "no LSL marker stream"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, outlet: Any, code: int, words: str) -> None:
    make_bundle(tmp_path / "b", head="selection")
    name = unique("unfit")
    with outlet(name):
        got, problems, _ = check(write_config(tmp_path, tmp_path / "b", stream=name))
    assert got == code
    assert any(words in problem["message"] for problem in problems), problems


def test_every_problem_is_told_at_once_and_the_first_code_wins(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="ctc")
    model = tmp_path / "b" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    config = write_config(
        tmp_path, tmp_path / "b", stream=unique("none"), more='[log]\nlevel = "loud"\ntxt = true\n'
    )
    code, problems, _ = check(config)
    assert code == 78
    assert sorted(problem["code"] for problem in problems) == [65, 69, 69, 78, 78]
    config.write_text(config.read_text().replace('level = "loud"\ntxt = true\n', ""))
    code, problems, _ = check(config)
    assert code == 65


def test_a_speller_without_markers_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="selection")
    name = unique("bare")
    with headset(name):
        code, problems, _ = check(
            write_config(tmp_path, tmp_path / "b", stream=name, markers=False)
        )
    assert code == 78
    assert problems[0]["message"].startswith("stream.markers: got none, wanted")


def test_a_missing_file_and_a_wrong_one_are_told(tmp_path: Path) -> None:
    assert check(tmp_path / "none.toml")[0] == 78
    (tmp_path / "bad.toml").write_text("[stream\n")
    assert check(tmp_path / "bad.toml")[0] == 78


def init(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return eegscribe("init", "--out", folder / "eegscribe.toml", *options)


def test_init_writes_what_check_takes(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="ctc")
    name = unique("first")
    with headset(name):
        told = init(tmp_path, "--bundle", "./b", "--json")
        assert told.returncode == 0, told.stderr
        streams = [json.loads(line) for line in told.stdout.splitlines()][:-1]
        ours = next(row for row in streams if row["eeg"]["name"] == name)
        assert (ours["channels"], ours["rate_hz"]) == (4, 250.0)
        assert ours["markers"]["name"] == f"{name}-markers"
        config = read_config(tmp_path / "eegscribe.toml")
        found = next(stream for stream in config.streams if stream.name == name)
        assert found.lsl == {"type": "EEG", "name": name, "source_id": f"id-{name}"}
        assert found.bundle == str(tmp_path / "b")


def test_init_replaces_nothing_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "eegscribe.toml").write_text("mine")
    with headset(unique("again")):
        told = init(tmp_path)
        assert told.returncode == 2
        assert "is there already" in told.stderr
        assert (tmp_path / "eegscribe.toml").read_text() == "mine"
        assert init(tmp_path, "--force").returncode == 0
    assert (tmp_path / "eegscribe.toml").read_text() != "mine"


def test_init_without_a_headset_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "lsl_api.cfg"  # a session of its own, where no other stream is seen
    own.write_text(f"[lab]\nSessionID = {unique('alone')}\n")
    monkeypatch.setenv("LSLAPICFG", str(own))
    told = init(tmp_path, "--timeout", "0.5")
    assert told.returncode == 69
    assert "is the headset on" in told.stderr
    assert not (tmp_path / "eegscribe.toml").exists()
