"""``evaluate``: what it finds, what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import load_bundle
from tests.bundles import make_bundle, pulses
from tests.recordings import noise, trial_markers, write_recording
from tests.ssvep_recordings import write_layout, write_session
from tools.cli import main
from tools.evaluation.report.data import read_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two recordings that a speller was calibrated on, and a third."""
    folder = tmp_path_factory.mktemp("made")
    for seed in (1, 2):
        write_session(folder / f"{seed}.npy", seed=seed)
    write_session(folder / "later.npy", seed=9, n_repeats=6)
    calibrate(folder, "ada.eegb", "1.npy", "2.npy")
    return folder


def calibrate(folder: Path, out: str, *recordings: str) -> None:
    layout = write_layout(folder / "keys.layout")
    paths = [str(folder / name) for name in recordings]
    words = ["--paradigm", "ssvep", "--layout", str(layout), "--out", str(folder / out)]
    assert main(["calibrate", *paths, *words]) == 0


@pytest.fixture
def own(made: Path, tmp_path: Path, capsys: Capture) -> Path:
    """Return a copy of that folder which a test may write to."""
    capsys.readouterr()
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own"


def evaluate(capsys: Capture, *words: str | Path) -> dict[str, Any]:
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    *recordings, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [one["type"] for one in recordings] == ["recording"] * len(summary["recordings"])
    assert summary["type"] == "summary"
    return dict(summary)


def refused(capsys: Capture, code: int, *words: str | Path) -> str:
    capsys.readouterr()
    assert main(["evaluate", *map(str, words)]) == code
    said = capsys.readouterr().err
    assert said.startswith("eegscribe: ")
    assert said.count("\n") == 1
    return said


def test_a_speller_that_reads_says_so_in_its_messages(own: Path, capsys: Capture) -> None:
    bundle, out = own / "ada.eegb", own / "report"
    before = load_bundle(bundle)
    summary = evaluate(capsys, bundle, own / "later.npy", "--out", out)
    assert summary["verdict"] == "reads EEG"
    assert set(summary["controls"]["inputs"]) == {
        "white noise", "phase-randomised", "another trial's EEG",
    }  # fmt: skip
    after = load_bundle(bundle)
    assert summary["bundle"]["sha256"] == before.sha256
    assert summary["bundle"]["written"] == after.sha256
    assert after.manifest.evaluation.verdict == "reads EEG"
    kept = after.manifest.evaluation.scores
    assert kept["accuracy"] == before.manifest.evaluation.scores["accuracy"]
    assert kept["evaluation"]["primary"] == summary["primary"]
    assert after.files == before.files

    assert main(["replay", str(own / "later.npy"), "--bundle", str(bundle), "--json"]) == 0
    *messages, replayed = map(json.loads, capsys.readouterr().out.splitlines())
    finals = [message for message in messages if message["topic"] == "text.final"]
    assert all(message["model"]["verified"] is True for message in finals)
    assert replayed["symbols"] == summary["symbols"]
    assert replayed["itr_bits_per_min"] == pytest.approx(summary["itr_bits_per_min"])

    folder = read_folder(out)
    assert [row.hypothesis for row in folder.rows] == ["".join(m["symbols"]) for m in finals]
    assert folder.evaluation.verdict == "reads EEG"
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json", "rows.jsonl", "report.html", "sweep.csv",
    }  # fmt: skip
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_shuffled_labels_teach_nothing(own: Path, capsys: Capture) -> None:
    for name in ("1", "2"):
        sidecar = json.loads((own / f"{name}.json").read_text())
        labels = [m["text"] for m in sidecar["markers"] if m["text"].startswith("label:")]
        shuffled = iter(np.random.default_rng(3).permutation(labels).tolist())
        for marker in sidecar["markers"]:
            if marker["text"].startswith("label:"):
                marker["text"] = next(shuffled)
        (own / f"{name}.json").write_text(json.dumps(sidecar))
    calibrate(own, "shuffled.eegb", "1.npy", "2.npy")
    capsys.readouterr()
    out = own / "report"
    summary = evaluate(capsys, own / "shuffled.eegb", own / "later.npy", "--out", out)
    assert summary["verdict"] == "not shown"
    assert not summary["rule"]["holds"]["a"]
    assert load_bundle(own / "shuffled.eegb").manifest.evaluation.verdict == "not shown"


def test_a_recording_that_it_was_calibrated_on_shows_nothing(own: Path, capsys: Capture) -> None:
    shutil.copy(own / "1.npy", own / "renamed.npy")
    shutil.copy(own / "1.json", own / "renamed.json")
    recordings = (own / "renamed.npy", own / "later.npy")
    summary = evaluate(capsys, own / "ada.eegb", *recordings, "--out", own / "report")
    assert summary["verdict"] == "not shown"
    assert "(d) the bundle was made of renamed.npy (as 1.npy)" in summary["reasons"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--keep-bundle",), "--keep-bundle"),
        (("--controls", "none"), "there was no control input"),
        (("--trials", "0-32"), "not all trials were looked at"),
        (("--set", "decoder.threshold=0.9"), "the decoder's settings are not its own"),
    ],
)
def test_a_bundle_is_left_as_it_is(
    own: Path, capsys: Capture, words: tuple[str, ...], why: str
) -> None:
    bundle = own / "ada.eegb"
    before = bundle.read_bytes()
    summary = evaluate(capsys, bundle, own / "later.npy", "--out", own / "report", *words)
    assert bundle.read_bytes() == before
    assert summary["bundle"]["written"] is None
    assert summary["bundle"]["kept_because"] == why
    n_asked = 33 if "--trials" in words else 36
    assert summary["rows"] == n_asked
    assert (summary["verdict"] == "reads EEG") == ("none" not in words)


def test_a_bundle_that_cannot_be_written_is_left_and_told(
    own: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.evaluation import verdict

    monkeypatch.setattr(verdict.os, "access", lambda place, _mode: place != own)
    out = own / "deep" / "report"
    out.parent.mkdir()
    summary = evaluate(capsys, own / "ada.eegb", own / "later.npy", "--out", out)
    assert summary["verdict"] == "reads EEG"
    assert summary["bundle"]["kept_because"] == f"{own} cannot be written"


def test_the_full_controls_train_on_noise_where_that_takes_seconds(
    own: Path, capsys: Capture
) -> None:
    words = (own / "ada.eegb", own / "later.npy", "--out", own / "report", "--controls", "full")
    summary = evaluate(capsys, *words, "--keep-bundle")
    assert len(summary["controls"]["inputs"]) == 9
    assert summary["made_of"]["skipped"] == [
        "training on noise is not done: wanted --trained-on and --layout, which it was calibrated"
        " with"
    ]
    on = ("--trained-on", own / "1.npy", own / "2.npy", "--layout", own / "keys.layout")
    summary = evaluate(capsys, *words, *on)
    inputs = summary["controls"]["inputs"]
    assert len(inputs) == 10
    assert inputs["trained on noise"]["error"] > 0.6
    assert summary["made_of"]["skipped"] == []
    said = refused(capsys, 2, *words, "--trained-on", own / "later.npy", *on[3:])
    assert "was not made of" in said
    summary = evaluate(capsys, *words, "--noise-trained", own / "ada.eegb")
    assert summary["verdict"] == "fooled"  # the same bundle cannot have learnt from noise alone


def text_recording(path: Path, texts: list[str], *, gap: int = 150) -> Path:
    """Write a recording in which the tiny seq2seq model reads each text, with rest between."""
    at, markers, pieces = 0, [], []
    for text in texts:
        length = 200 + 40 * len(text) + gap
        pieces.append(pulses(text, n_samples=length))
        markers += [(at + 190, f"text:{text}"), (at + 200 + 40 * len(text), "text:end")]
        at += length
    return write_recording(path, np.concatenate(pieces), markers)


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "reader", head="seq2seq")
    return tmp_path / "reader"


def test_texts_are_rows_and_the_greedy_decoding_stands_beside(
    tmp_path: Path, reader: Path, capsys: Capture
) -> None:
    texts = ["ab", "ba", "a", "bb", "aba", "b"]
    paths = [
        text_recording(tmp_path / "one.xdf", texts[:3]),
        text_recording(tmp_path / "two.xdf", texts[3:]),
    ]
    out = tmp_path / "report"
    summary = evaluate(capsys, reader, *paths, "--out", out, "--subject", "s1")
    rows = read_folder(out).rows
    assert [row.reference for row in rows] == texts
    assert [row.recording for row in rows] == ["one.xdf"] * 3 + ["two.xdf"] * 3
    assert {row.subject for row in rows} == {"s1"}
    assert summary["primary"]["error"] == "characters"
    assert summary["primary"]["estimate"] < 0.5
    assert summary["decodings"]["greedy"] is not None
    assert summary["decodings"]["without_lm"] is None
    assert summary["itr"] is None
    assert summary["throughput"]["batching"].startswith("32 windows a call")
    assert summary["verdict"] == "not shown"
    assert "6 distinct references, wanted 30 or more" in " ".join(summary["reasons"])


def test_what_cannot_be_evaluated_is_refused_in_one_sentence(
    tmp_path: Path, own: Path, reader: Path, capsys: Capture
) -> None:
    speller, later, out = own / "ada.eegb", own / "later.npy", tmp_path / "out"
    bare = write_recording(tmp_path / "bare.xdf", noise(2000), [(5, "stim:on")])
    trials = write_recording(tmp_path / "trials.xdf", noise(2000), trial_markers(2000))
    dots = write_recording(tmp_path / "dots.xdf", noise(2000), [(5, "text:..."), (90, "text:end")])
    (tmp_path / "empty.xdf").touch()
    (tmp_path / "notes.txt").write_text("no report")
    for code, words, wanted in (
        (65, (reader, bare), "bare.xdf: no text: markers in it, wanted what was meant"),
        (65, (reader, trials), "it has label: markers, which are of trials"),
        (65, (reader, dots), "no text in it holds a word once it is normalised"),
        (65, (reader, tmp_path / "empty.xdf"), "empty.xdf"),
        (65, (reader, tmp_path / "none.xdf"), "none.xdf"),
        (65, (speller, trials), "lacks O1"),
        (65, (tmp_path / "none.eegb", later), "no such bundle"),
        (65, (speller, later, later), "wanted each recording once"),
        (2, (speller, later, "--set", "decoder.nothing=1"), "no such setting"),
        (2, (speller, later, "--set", "decoder.lm_weight=1"), "has no language model"),
        (2, (speller, later, "--trials", "36"), "its trials are 0 to 35"),
        (2, (reader, dots, "--trials", "0"), "reads running text, which has no trials"),
        (2, (speller, later, "--normalise", "basic"), "compared as they are"),
        (2, (speller, later, "--seed", "-1"), "wanted 0 or more"),
        (2, (speller, later, "--layout", "l.json"), "is for --controls full"),
        (2, (speller, later, "--controls", "full", "--layout", "l"), "wanted both or none"),
    ):
        assert wanted in refused(capsys, code, *words, "--out", out)
        assert not out.exists()
    assert "is of no report" in refused(capsys, 2, speller, later, "--out", own)
    fast = write_session(tmp_path / "fast.npy", seed=1, rate_hz=500.0)
    assert "rate is 500 Hz" in refused(capsys, 65, speller, fast, "--out", out)
    strange = write_session(
        tmp_path / "strange.npy", seed=1, symbols=("P", "Q", "R", "S", "T", "U")
    )
    assert "is not a symbol of the bundle" in refused(capsys, 65, speller, strange, "--out", out)


def test_a_person_is_told_what_was_found(own: Path, capsys: Capture) -> None:
    words = [own / "ada.eegb", own / "later.npy", "--out", own / "report"]
    assert main(["evaluate", *map(str, words)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("judged by: 1 - accuracy, declared before anything is decoded\n")
    for wanted in (
        "verdict: reads EEG",
        "selections right (chance 16.7%), 0 abstained",
        "noise: another trial's EEG",
        "times real time",
        "the verdict is in the bundle, which is now",
        f"wrote {own / 'report'}",
    ):
        assert wanted in told
