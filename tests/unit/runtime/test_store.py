from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import load_bundle
from pipeline.errors import BundleError, ConfigError, UsageError
from runtime.store import bundle_path, find, hold, is_name, is_stored, store_folder
from tests.bundles import ctc_model, make_bundle
from tools.packaging.installation import install, remove
from tools.packaging.inventory import digest_of, digests, entries, names, strangers
from tools.packaging.store_lock import STAGING, StoreError, changing


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return store_folder()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for seed in range(2):
        make_bundle(folder / f"{seed}.eegb", model=ctc_model(seed))
    return [folder / "0.eegb", folder / "1.eegb"]


def test_a_name_a_digest_and_its_beginning_lead_to_the_bundle(
    store: Path, bundles: list[Path]
) -> None:
    sha256 = load_bundle(bundles[0]).sha256
    done = install(bundles[0], folder=store, name="ada")
    assert (done.sha256, done.is_new, done.was) == (sha256, True, None)
    assert find("ada") == find(sha256) == find(sha256.upper()) == done.path == bundle_path("ada")
    assert load_bundle(done.path).sha256 == sha256
    assert digest_of(sha256[:8], folder=store) == sha256
    assert is_stored(done.path)
    assert not is_stored(bundles[0])


def test_a_folder_is_installed_as_the_same_bundle(
    store: Path, tmp_path: Path, bundles: list[Path]
) -> None:
    folder = tmp_path / "folder"
    sha256 = make_bundle(folder)
    done = install(folder, folder=store, name="f")
    assert load_bundle(done.path).sha256 == done.sha256 == sha256


def test_what_is_not_there_is_told(store: Path, tmp_path: Path) -> None:
    assert find("ada") is None
    assert find("0" * 64) is None
    with pytest.raises(ConfigError, match="wanted a folder, an .eegb file or a bundle in"):
        bundle_path("ada")
    with pytest.raises(BundleError, match="no such name or digest"):
        remove("ada", folder=store)
    assert not store.exists()
    assert list(entries(store)) == []


@given(st.text(max_size=120))
def test_no_name_leads_out_of_the_store(text: str) -> None:
    if is_name(text):
        assert Path(text).name == text
        assert text not in {".", ".."}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "-x", "a" * 64, "x.eegb", "a\n", "ä"]
)
def test_names_that_are_paths_or_digests_are_refused(
    store: Path, bundles: list[Path], name: str
) -> None:
    with pytest.raises(UsageError, match="wanted 1 to 100"):
        install(bundles[0], folder=store, name=name)
    assert not store.exists()


def test_a_name_is_another_bundles_only_when_that_is_asked_for(
    store: Path, bundles: list[Path]
) -> None:
    first = install(bundles[0], folder=store, name="ada")
    with pytest.raises(StoreError, match="is the name of bundle .* --replace"):
        install(bundles[1], folder=store, name="ada")
    assert find("ada") == first.path
    second = install(bundles[1], folder=store, name="ada", is_replacing=True)
    assert second.was == first.sha256
    assert find("ada") == second.path
    assert first.path.exists()
    assert list((store / STAGING).iterdir()) == []


def test_a_bundle_goes_with_its_last_name(store: Path, bundles: list[Path]) -> None:
    done = install(bundles[0], folder=store, name="a")
    assert not install(bundles[0], folder=store, name="b").is_new
    assert not remove("a", folder=store).is_gone
    assert find("b") == done.path
    with pytest.raises(StoreError, match="is called b"):
        remove(done.sha256, folder=store)
    assert remove("b", folder=store).is_gone
    assert list(digests(store)) == []
    assert names(store) == {}


def test_a_bundle_that_a_daemon_holds_is_not_removed(store: Path, bundles: list[Path]) -> None:
    done = install(bundles[0], folder=store, name="a")
    with hold(done.path):
        with pytest.raises(StoreError, match="a running daemon uses it"):
            remove("a", folder=store)
        assert find("a") == done.path
        gone = remove("a", folder=store, is_forced=True)
        assert gone.was_used
    assert find("a") is None
    with hold(bundles[0]), bundles[0].open("rb") as file:  # outside the store nothing is held
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_link_that_points_elsewhere_is_refused(store: Path, bundles: list[Path]) -> None:
    install(bundles[0], folder=store, name="a")
    (store / "names" / "b").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="points to /etc/passwd"):
        find("b")


def test_a_bundle_that_is_gone_is_told_and_its_name_can_be_removed(
    store: Path, bundles: list[Path]
) -> None:
    done = install(bundles[0], folder=store, name="a")
    done.path.unlink()
    with pytest.raises(BundleError, match="is gone, reinstall it"):
        find("a")
    assert [entry.problem for entry in entries(store)] == ["its bundle is gone"]
    remove("a", folder=store)
    assert find("a") is None


def test_installing_again_heals_a_damaged_bundle(store: Path, bundles: list[Path]) -> None:
    done = install(bundles[0], folder=store, name="a")
    done.path.write_bytes(done.path.read_bytes()[:-10])
    assert [entry.manifest for entry in entries(store)] == [None]
    assert install(bundles[0], folder=store, name="a").is_new
    assert load_bundle(done.path).sha256 == done.sha256


def test_a_bundle_that_is_not_whole_never_gets_in(
    store: Path, tmp_path: Path, bundles: list[Path]
) -> None:
    path = tmp_path / "cut.eegb"
    path.write_bytes(bundles[0].read_bytes()[:-10])
    with pytest.raises(BundleError):
        install(path, folder=store, name="a")
    with pytest.raises(BundleError, match="is not the pinned"):
        install(bundles[0], folder=store, name="a", pinned_sha256="0" * 64)
    assert list(digests(store)) == []
    assert list((store / STAGING).iterdir()) == []


def test_a_store_is_its_owners_and_readable_as_its_folder_is(
    store: Path, bundles: list[Path]
) -> None:
    done = install(bundles[0], folder=store, name="a")
    assert store.stat().st_mode & 0o777 == 0o700
    assert done.path.stat().st_mode & 0o777 == 0o600
    store.chmod(0o750)
    done = install(bundles[1], folder=store, name="b")
    assert done.path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_cannot_be_written_still_finds(store: Path, bundles: list[Path]) -> None:
    done = install(bundles[0], folder=store, name="a")
    for folder in (store, *(p for p in store.iterdir() if p.is_dir())):
        folder.chmod(0o500)
    (store / "lock").chmod(0o400)
    assert find("a") == done.path
    with pytest.raises(StoreError, match="cannot be written"):
        install(bundles[1], folder=store, name="b")
    for folder in (store, *(p for p in store.iterdir() if p.is_dir())):
        folder.chmod(0o700)


def test_leftovers_of_the_living_stay_and_strangers_go(store: Path, bundles: list[Path]) -> None:
    install(bundles[0], folder=store, name="a")
    (store / STAGING / "stranger").write_text("x")
    (store / STAGING / "dead").mkdir()
    with changing(store):
        assert list((store / STAGING).iterdir()) == []


def test_a_stranger_among_the_names_keeps_nobody_from_the_rest(
    store: Path, bundles: list[Path]
) -> None:
    done = install(bundles[0], folder=store, name="a")
    (store / "names" / "evil").symlink_to("/etc/hostname")
    (store / "names" / "folder").mkdir()
    assert names(store) == {"a": done.sha256}
    assert [entry.names for entry in entries(store)] == [("a",)]
    told = list(strangers(store))
    assert [f"names/{name}" in text for name, text in zip(("evil", "folder"), told, strict=True)]
    with pytest.raises(BundleError, match="points to /etc/hostname"):
        find("evil")
    assert remove("a", folder=store).is_gone


def test_a_pipe_among_the_bundles_is_a_problem_and_no_wait(
    store: Path, bundles: list[Path]
) -> None:
    install(bundles[0], folder=store, name="a")
    os.mkfifo(store / "digests" / f"{64 * 'f'}.eegb")
    problems = {entry.sha256: entry.problem for entry in entries(store)}
    assert "not a plain file" in str(problems[64 * "f"])
    assert remove(64 * "f", folder=store).is_gone
