"""Whatever is wrong with what comes in: one sentence, the right exit code, no traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.bundles import ctc_spec, make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tests.system.daemons import eegscribe, unique, write_config


def refused(code: int, *words: str | Path) -> str:
    """Run a verb that must fail with ``code`` in one sentence; return the sentence."""
    done = eegscribe(*words)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "b", head="selection")
    return tmp_path / "b"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_recording(tmp_path / "r.xdf", noise(1000), trial_markers(1000))


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_flipped_byte_is_found_by_every_verb_that_loads(
    tmp_path: Path, bundle: Path, recording: Path, name: str
) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 3] ^= 0x10
    (bundle / name).write_bytes(data)
    assert f"{name}: changed" in refused(65, "replay", recording, "--bundle", bundle)
    config = write_config(tmp_path, bundle, stream=unique("none"))
    assert f"{name}: changed" in refused(65, "run", "--config", config)


def test_a_changed_manifest_is_found_where_it_is_pinned(tmp_path: Path, bundle: Path) -> None:
    config = write_config(tmp_path, bundle, stream=unique("none"))
    text = config.read_text().replace("bundle =", f'bundle_sha256 = "{"0" * 64}"\nbundle =')
    config.write_text(text)
    assert "is not the pinned 000000000000" in refused(65, "run", "--config", config)


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ('[journal]\npath = "/dev/null/j/journal.sqlite"', "journal.path"),
        ('[record]\ndirectory = "/dev/null/recordings"', "record.directory"),
    ],
)
def test_a_folder_that_cannot_be_written(
    tmp_path: Path, bundle: Path, table: str, where: str
) -> None:
    config = write_config(tmp_path, bundle, stream=unique("none"))
    text = config.read_text().split("[journal]")[0] + '[journal]\npath = "j.sqlite"\n'
    config.write_text((text.split("[journal]")[0] if "journal" in table else text) + table)
    assert f"{where}: got '/dev/null/" in refused(78, "run", "--config", config)


def test_a_missing_file_and_a_newer_version(bundle: Path, recording: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "format_version": 7}))
    said = refused(65, "replay", recording, "--bundle", bundle)
    assert "format_version 7 needs a newer eegscribe, this one reads up to 1" in said
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    (bundle / "model.onnx").unlink()
    said = refused(65, "replay", recording, "--bundle", bundle)
    assert "model.onnx: missing, the manifest lists it" in said


def test_a_bundle_for_other_channels_or_another_rate(tmp_path: Path, recording: Path) -> None:
    spec = msgspec.structs.replace(ctc_spec(), channels=("Fz", "Cz", "Pz", "C9"))
    make_bundle(tmp_path / "other", spec=spec)
    assert "lacks C9; it has Fz" in refused(65, "replay", recording, "--bundle", tmp_path / "other")
    make_bundle(tmp_path / "fast", spec=ctc_spec(rate_hz=500.0))
    said = refused(65, "replay", recording, "--bundle", tmp_path / "fast")
    assert "rate is 250 Hz, the bundle 'tiny-ctc' wants 500 Hz" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["replay", "r.xdf"], 2, "no --bundle given"),
        (["replay", "r.xdf", "--bundle", "b", "--speed", "fast"], 2, "wanted max or a number"),
        (["replay", "r.xdf", "--bundle", "b", "--trials", "9-2"], 2, "ascending range"),
        (["replay", "r.xdf", "--bundle", "b", "--trials", "4"], 2, "got 4, which r.xdf lacks"),
        (["replay", "r.xdf", "--through", "lsl", "--trials", "0"], 2, "wanted no --trials"),
        (["replay", "r.xdf", "--bundle", "b", "--set", "decoder.nothing=1"], 2, "no such setting"),
        (["replay", "r.xdf", "--bundle", "b", "--set", "decoder.threshold=x"], 2, "--set"),
        (["replay", "r.xdf", "--bundle", "b", "--set", "threshold=1"], 2, "decoder.KEY=VALUE"),
        (["replay", "r.xdf", "--bundle", "b", "--set", "decoder.max_s=0.01"], 2, "decoder.max_s"),
        (["replay", "none.xdf", "--bundle", "b"], 65, "No such file"),
        (["replay", "r.txt", "--bundle", "b"], 65, "unknown kind of file"),
        (["replay", "r.xdf", "--bundle", "none"], 65, "no such bundle"),
        (["replay", "r.xdf", "--through", "lsl", "--wait", "0.5"], 69, "nobody connected"),
        (["run", "--config", "none.toml"], 78, "none.toml"),
        (["check", "--config", "none.toml"], 78, ""),
        (["demo", "--text", "ümlaut"], 2, "'ü'"),
        (["simulate", "--text", "5", "--out", "x.xdf"], 2, "'5'"),
    ],
)
def test_wrong_words(
    tmp_path: Path,
    bundle: Path,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    said: str,
) -> None:
    shutil.copy(recording, tmp_path / "r.txt")
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    if words[0] == "check":
        done = eegscribe(*words)
        assert done.returncode == code
        assert "Traceback" not in done.stderr
    else:
        assert said in refused(code, *words)
    assert bundle.exists()


def test_mutated_recordings_are_read_or_refused_in_one_sentence(
    tmp_path: Path, bundle: Path, recording: Path
) -> None:
    whole = recording.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "broken.xdf"
    for k in range(12):
        broken = bytearray(whole)
        if k % 2:
            broken = broken[: int(rng.integers(0, len(whole)))]
        else:
            for at in rng.integers(0, len(whole), 20):
                broken[at] ^= int(rng.integers(1, 256))
        path.write_bytes(broken)
        done = eegscribe("replay", path, "--bundle", bundle, "--json")
        assert done.returncode in {0, 65}, done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == (1 if done.returncode else 0), done.stderr


def test_each_verb_helps_with_an_example() -> None:
    listed = eegscribe("--help").stdout
    for verb in ("demo", "init", "check", "run", "listen", "simulate", "replay", "calibrate"):
        assert verb in listed
        done = eegscribe(verb, "--help")
        assert done.returncode == 0
        assert "example" in done.stdout, verb
