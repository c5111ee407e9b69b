"""A daemon whose configuration names a bundle of the store, and someone who would remove it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle import load_bundle
from runtime.store import store_folder
from tests.bundles import make_bundle
from tests.system.daemons import eegscribe, running, unique

pytestmark = pytest.mark.live


def test_a_bundle_in_use_is_not_removed_before_its_daemon_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    source = tmp_path / "b.eegb"
    make_bundle(source)
    installed = eegscribe("models", "install", source, "--name", "ada")
    assert installed.returncode == 0, installed.stderr
    with running(tmp_path, Path("ada"), stream=unique("store")) as daemon:
        refused = eegscribe("models", "remove", "ada")
        assert refused.returncode == 1
        assert "a running daemon uses it" in refused.stderr
        assert daemon.stop() == 0, daemon.log()
    assert load_bundle(next((store_folder() / "digests").iterdir())).manifest.name == "tiny-ctc"
    removed = eegscribe("models", "remove", "ada")
    assert removed.returncode == 0, removed.stderr
    assert list((store_folder() / "digests").iterdir()) == []
