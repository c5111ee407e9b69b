from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.bundle import load_bundle
from pipeline.errors import BundleError
from runtime.store import store_folder
from tests.bundles import ctc_model, make_bundle
from tools.cli import main
from tools.evaluation.figures.write_back import selection_bundle
from tools.evaluation.verdict import why_not


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return store_folder()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "b.eegb")
    return tmp_path / "b.eegb"


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_install_list_show_path_verify_remove(
    bundle: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = load_bundle(bundle).sha256
    assert main(["models", "install", str(bundle), "--json"]) == 0
    (done,) = json_lines(capsys)
    assert (done["name"], done["sha256"]) == ("tiny-ctc", sha256)
    assert main(["models", "list"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:3] == ["name", "digest", "head"]
    assert table[1].split()[:3] == ["tiny-ctc", sha256[:12], "ctc"]
    assert main(["models", "list", "--json"]) == 0
    assert json_lines(capsys)[-1] == {"type": "summary", "store": str(store), "bundles": 1}
    assert main(["models", "show", sha256[:10]]) == 0
    assert f"digest      {sha256}" in capsys.readouterr().out
    assert main(["models", "show", "tiny-ctc", "--json"]) == 0
    assert json_lines(capsys)[0]["manifest"]["name"] == "tiny-ctc"  # type: ignore[index]
    assert main(["models", "path", "tiny-ctc"]) == 0
    assert load_bundle(Path(capsys.readouterr().out.strip())).sha256 == sha256
    assert main(["models", "verify"]) == 0
    assert main(["models", "remove", "tiny-ctc"]) == 0
    assert "is gone" in capsys.readouterr().out
    assert main(["models", "remove", "tiny-ctc"]) == 65


def test_verify_tells_damage_and_ends_in_65(
    bundle: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "install", str(bundle), "--name", "a"]) == 0
    (path,) = (store / "digests").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    capsys.readouterr()
    assert main(["models", "verify", "--json"]) == 65
    told = json_lines(capsys)
    assert "not a whole .eegb file" in str(told[0]["problem"])
    assert told[-1] == {"type": "summary", "checked": 1, "bad": 1}
    assert main(["models", "list"]) == 0
    assert "! " in capsys.readouterr().out


def test_a_store_of_ones_own_and_names_for_verbs(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    assert main(["models", "install", str(bundle), "--store", str(other), "--name", "x"]) == 0
    assert main(["models", "path", "x", "--store", str(other)]) == 0
    assert main(["models", "path", "x"]) == 65
    assert main(["models", "install", str(bundle), "--name", "x"]) == 0
    assert main(["package", "x", "--out", str(tmp_path / "folder")]) == 0
    assert load_bundle(tmp_path / "folder").sha256 == load_bundle(bundle).sha256
    capsys.readouterr()
    assert main(["package", "y", "--out", str(tmp_path / "y.eegb")]) == 65
    assert "y: no such bundle, wanted a folder, an .eegb file or one in" in capsys.readouterr().err


def test_package_keeps_the_digest_and_never_writes_over_what_it_was_given(
    bundle: Path, tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = load_bundle(bundle).sha256
    folder, again = tmp_path / "folder", tmp_path / "again.eegb"
    assert main(["package", str(bundle), "--out", str(folder)]) == 0
    assert main(["package", str(folder), "--out", str(again), "--json"]) == 0
    assert load_bundle(again).sha256 == sha256
    assert again.read_bytes() == bundle.read_bytes()
    for out in (bundle, again, store / "digests" / f"{sha256}.eegb"):
        assert main(["package", str(bundle), "--out", str(out)]) == 2
    assert main(["package", str(bundle), "--out", str(again), "--force"]) == 0


def test_another_bundle_of_the_same_name_needs_replace(bundle: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "c.eegb", model=ctc_model(1))
    assert main(["models", "install", str(bundle), "--name", "a"]) == 0
    assert main(["models", "install", str(tmp_path / "c.eegb"), "--name", "a"]) == 1
    assert main(["models", "install", str(tmp_path / "c.eegb"), "--name", "a", "--replace"]) == 0


def test_no_verdict_and_no_threshold_is_written_into_the_store(bundle: Path, store: Path) -> None:
    assert main(["models", "install", str(bundle), "--name", "a"]) == 0
    (path,) = (store / "digests").iterdir()
    assert "never altered" in str(why_not(path))
    assert why_not(bundle) is None
    with pytest.raises(BundleError, match="never altered"):
        selection_bundle(path, [])


def test_a_stranger_among_the_names_is_told_and_verify_ends_in_65(
    bundle: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "install", str(bundle), "--name", "a"]) == 0
    (store / "names" / "evil").symlink_to("/etc/hostname")
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("a ")
    assert "evil: points to /etc/hostname" in err
    assert main(["models", "verify", "--json"]) == 65
    assert json_lines(capsys)[-1] == {"type": "summary", "checked": 1, "bad": 1}
    assert main(["models", "verify", "a"]) == 0
