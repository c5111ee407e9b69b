"""``replay``: the lines it prints are a contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jiwer
import pytest

from tests.bundles import make_bundle, pulses
from tests.recordings import noise, trial_markers, write_recording
from tools.cli import main

KEYS = [
    *("type", "transcript", "reference", "cer", "wer", "symbols", "itr_bits_per_min"),
    *("realtime_factor", "lost_samples", "latency_ms"),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "b"
    make_bundle(path)
    return path


def replay(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[dict[str, Any]]:
    assert main(["replay", *map(str, words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_long_transcript_is_scored_whole(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markers = [(10, "text:" + "ab " * 500)]
    recording = write_recording(tmp_path / "r.xdf", noise(40_000), markers)
    *messages, summary = replay(capsys, recording, "--bundle", bundle, "--json")
    assert list(summary) == KEYS
    transcript = ""
    for message in messages:
        if message["topic"] == "text.final":
            transcript = transcript[: len(transcript) - message["delete"]] + message["text"]
    assert len(transcript) > 1000
    assert summary["transcript"] == transcript
    assert summary["cer"] == pytest.approx(jiwer.cer("ab " * 500, transcript))


def test_a_seq2seq_bundle_writes_what_is_said_and_takes_its_decoders_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "b", head="seq2seq")
    said = "ab ba b ab"
    markers = [(200, f"text:{said}"), (700, "text:end")]
    recording = write_recording(tmp_path / "r.xdf", pulses(said, n_samples=3000), markers)
    words = (recording, "--bundle", tmp_path / "b", "--json")
    assert replay(capsys, *words)[-1]["cer"] == 0.0
    greedy = replay(capsys, *words, "--set", "decoder.method=greedy")
    assert greedy[-1]["transcript"] == said
    in_words = replay(capsys, *words, "--set", "decoder.commit_words=true")
    finals = [m["text"] for m in in_words if m.get("topic") == "text.final"]
    assert finals == ["ab ", "ba ", "b ", "ab"]
    wide = ["replay", *map(str, words), "--set", "decoder.beam=9"]
    assert main(wide) == 2
    assert capsys.readouterr().err == (
        "eegscribe: --set: decoder.beam: got 9, wanted at most 4 rows\n"
    )


def test_canonical_is_text_and_events_without_session_and_clocks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "b", head="selection")
    recording = write_recording(tmp_path / "r.xdf", noise(2000), trial_markers(2000))
    lines = replay(capsys, recording, "--bundle", tmp_path / "b", "--canonical")
    messages = replay(capsys, recording, "--bundle", tmp_path / "b", "--json")[:-1]
    clocks = {"session", "seq", "latency_ms", "start_s", "end_s", "host_ns"}
    assert lines == [{k: v for k, v in m.items() if k not in clocks} for m in messages]
    assert len(lines) > 5


def test_trials_are_chosen_and_one_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "b", head="selection")
    recording = write_recording(tmp_path / "r.xdf", noise(2000), trial_markers(2000))
    n_trials = sum(text == "trial:start" for _, text in trial_markers(2000))
    last = str(n_trials - 1)
    summary = replay(capsys, recording, "--bundle", tmp_path / "b", "--trials", last, "--json")[-1]
    assert summary["symbols"]["total"] == 1
    words = ["replay", str(recording), "--bundle", str(tmp_path / "b"), "--trials"]
    assert main([*words, f"0,{n_trials}"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"eegscribe: --trials: got {n_trials}, which {recording} lacks:"
        f" its trials are 0 to {last}\n"
    )


def test_a_bundle_of_running_text_has_no_trials(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = write_recording(tmp_path / "r.xdf", noise(2000), trial_markers(2000))
    assert main(["replay", str(recording), "--bundle", str(bundle), "--trials", "0"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "reads running text, which has no trials" in told.err
    assert told.err.count("\n") == 1


def test_a_recorded_pause_is_a_pause_again(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markers = [(1000, "pause"), (4000, "resume")]
    recording = write_recording(tmp_path / "r.xdf", noise(6000), markers)
    messages = replay(capsys, recording, "--bundle", bundle, "--json")[:-1]
    events = [(m["kind"], m["sample"]) for m in messages if m["topic"] == "event"]
    assert events == [("pause", 1000), ("resume", 4000)]
    said = [m["samples"] for m in messages if m["topic"] == "text.final"]
    assert said
    assert not [first for first, _ in said if 1000 <= first < 4000]
