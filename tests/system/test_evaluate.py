"""``evaluate`` on what the verdict is for: a speller that reads a person, and the demonstration."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from models.bundle import load_bundle
from runtime.recordings.source import RecordingSource
from runtime.simulation.synthesis import Session, SynthesisSettings, synthesise
from tests.given import needs_data, recording
from tests.ssvep_recordings import write_layout, write_session
from tests.system.daemons import EEGSCRIBE, eegscribe
from tools.demo.demo_run import DEMO_BUNDLE
from tools.evaluation.evaluate import compared_rows, judged
from tools.evaluation.passes.overlap import CORPUS, find_overlap
from tools.evaluation.report.data import read_folder
from tools.recordings.labelled_trials import read_whole
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.rows import Row

N_TEXTS, N_A_RECORDING = 40, 10


def evaluate(*words: str | Path) -> dict[str, Any]:
    done = eegscribe("evaluate", *words, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def calibrate(out: Path, recordings: Sequence[Path]) -> Path:
    layout = recording("ssvep32_layout.json")
    words = ("--paradigm", "ssvep", "--layout", layout, "--out", out)
    done = eegscribe("calibrate", *recordings, *words)
    assert done.returncode == 0, done.stderr
    return out


@needs_data
def test_a_speller_reads_the_given_person(tmp_path: Path) -> None:
    runs = [recording(f"ssvep32_run{run}.xdf") for run in (1, 2, 3)]
    bundle = calibrate(tmp_path / "ada.eegb", runs[:2])
    began_s = time.monotonic()
    summary = evaluate(bundle, runs[2], "--out", tmp_path / "report", "--controls", "quick")
    assert time.monotonic() - began_s < 120.0
    assert summary["verdict"] == "reads EEG"
    assert summary["symbols"]["total"] == 64
    assert summary["primary"]["estimate"] < 0.15  # measured 0.016; chance 0.969
    assert load_bundle(bundle).manifest.evaluation.verdict == "reads EEG"

    again = evaluate(bundle, runs[0], "--out", tmp_path / "report", "--keep-bundle")
    assert again["verdict"] == "not shown"
    assert "(d) the bundle was made of ssvep32_run1.xdf" in again["reasons"]


@needs_data
def test_with_its_labels_shuffled_nothing_is_shown(tmp_path: Path) -> None:
    shuffled = [_with_shuffled_labels(tmp_path, run) for run in (1, 2)]
    bundle = calibrate(tmp_path / "shuffled.eegb", shuffled)
    test = recording("ssvep32_run3.xdf")
    summary = evaluate(bundle, test, "--out", tmp_path / "report")
    assert summary["verdict"] == "not shown"
    assert load_bundle(bundle).manifest.evaluation.verdict == "not shown"


def _with_shuffled_labels(folder: Path, run: int) -> Path:
    path = recording(f"ssvep32_run{run}.xdf")
    whole = read_whole(RecordingSource(path), name=path.name)
    texts = [marker.text for marker in whole.markers]
    places = [k for k, text in enumerate(texts) if text.startswith("label:")]
    for place, other in zip(places, np.random.default_rng(run).permutation(places), strict=True):
        texts[place] = whole.markers[other].text
    markers = [
        {"sample": marker.index, "text": text}
        for marker, text in zip(whole.markers, texts, strict=True)
    ]
    sidecar = {"rate_hz": whole.rate_hz, "channels": whole.channels, "markers": markers}
    out = folder / f"shuffled{run}.npy"
    np.save(out, whole.samples)
    out.with_suffix(".json").write_text(json.dumps(sidecar))
    return out


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    """Return sessions of texts that nothing was trained on."""
    texts = CORPUS.with_name("everyday_test.txt").read_text().splitlines()[:N_TEXTS]
    groups = [texts[k : k + N_A_RECORDING] for k in range(0, N_TEXTS, N_A_RECORDING)]
    return [synthesise(group, seed=7000 + k) for k, group in enumerate(groups)]


def _write(folder: Path, sessions: Sequence[Session]) -> list[Path]:
    paths = [folder / f"{k}.xdf" for k in range(len(sessions))]
    for path, session in zip(paths, sessions, strict=True):
        write_xdf(path, session, name="cap", rate_hz=SynthesisSettings().rate_hz)
    return paths


def test_the_demonstration_reads_and_is_verified(tmp_path: Path, sessions: list[Session]) -> None:
    bundle, out = tmp_path / "demo.eegb", tmp_path / "report"
    shutil.copy(DEMO_BUNDLE, bundle)
    summary = evaluate(bundle, *_write(tmp_path, sessions), "--out", out)
    assert summary["verdict"] == "reads EEG"
    assert summary["simulated"] is True
    assert summary["primary"]["error"] == "characters"
    assert summary["rows"] == summary["distinct_references"] == N_TEXTS
    assert load_bundle(bundle).manifest.evaluation.verdict == "reads EEG"
    rows = list(read_folder(out).rows)
    overlap = find_overlap(load_bundle(bundle).manifest.provenance, [])
    assert overlap.training is not None
    for seed in range(3):
        found = judged(
            compared_rows(_paired_anew(rows, seed), "basic"),
            overlap,
            unit="characters",
            uses_lm=True,
            how="basic",
            seed=0,
        )
        assert found.verdict.verdict == "not shown"


def _paired_anew(rows: list[Row], seed: int) -> list[Row]:
    """Return the rows with hypotheses dealt out among references of like length."""
    rng = np.random.default_rng(seed)
    order = np.array(sorted(range(len(rows)), key=lambda k: rows[k].duration_s))
    other = np.arange(len(rows))
    for stratum in np.array_split(order, 2):
        other[stratum] = rng.permutation(stratum)
    return [
        msgspec.structs.replace(
            row,
            hypothesis=rows[other[k]].hypothesis,
            greedy=rows[other[k]].greedy,
            without_lm=rows[other[k]].without_lm,
        )
        for k, row in enumerate(rows)
    ]


@pytest.mark.parametrize("kind", ["white", "no signal"])
def test_the_demonstration_reads_nothing_from_noise(
    tmp_path: Path, sessions: list[Session], kind: str
) -> None:
    bundle = tmp_path / "demo.eegb"
    shutil.copy(DEMO_BUNDLE, bundle)
    deaf = [_without_signal(session, kind, seed=k) for k, session in enumerate(sessions)]
    summary = evaluate(bundle, *_write(tmp_path, deaf), "--out", tmp_path / "report")
    assert summary["verdict"] != "reads EEG"
    assert load_bundle(bundle).manifest.evaluation.verdict != "reads EEG"


def _without_signal(session: Session, kind: str, *, seed: int) -> Session:
    """Return a session of the same texts at the same times, which are not in its samples."""
    settings = SynthesisSettings()
    texts = [span.text for span in session.spans]
    if kind == "no signal":
        quiet = msgspec.structs.replace(settings, snr_db=-np.inf)
        return synthesise(texts, seed=7000 + seed, settings=quiet)
    noise = np.random.default_rng(seed).standard_normal(session.samples.shape)
    samples = (settings.background_uv * noise).astype(np.float32)
    return Session(samples, session.characters, session.spans)


def test_a_run_killed_at_any_moment_leaves_a_whole_report(tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "keys.layout")
    train = write_session(tmp_path / "1.npy", seed=1)
    test = write_session(tmp_path / "2.npy", seed=2, n_repeats=6)
    bundle, out = tmp_path / "ada.eegb", tmp_path / "report"
    made = ("--paradigm", "ssvep", "--layout", layout, "--out", bundle)
    assert eegscribe("calibrate", train, *made).returncode == 0
    began_s = time.monotonic()
    evaluate(bundle, test, "--out", out, "--seed", "1000")
    takes_s = time.monotonic() - began_s
    seeds = {1000}
    for k, share in enumerate(np.linspace(0.3, 1.0, 15)):
        words = ["evaluate", bundle, test, "--out", out, "--seed", str(k)]
        process = subprocess.Popen(
            [*EEGSCRIBE, *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        time.sleep(share * takes_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seeds.add(k)
        evaluation = json.loads((out / "evaluation.json").read_text())
        assert evaluation["made_of"]["seed"] in seeds
        assert evaluation["rows"] == len(read_folder(out).rows) == 36
        assert (out / "report.html").read_text().rstrip().endswith("</html>")
        load_bundle(bundle)
    evaluate(bundle, test, "--out", out)
    assert not list(tmp_path.glob(".report.*"))
