"""The daemon carries nothing of the workbench: every import it makes in its life is looked at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bundles import make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tests.system.daemons import running, start, unique

if TYPE_CHECKING:
    import pytest

import pytest

pytestmark = pytest.mark.live

UNASKED = ("cProfile", "pstats", "profile", "runtime.profiling.report")
"""What only a daemon that is asked to look where its time goes needs."""

FORBIDDEN = ("torch", "mne", "pyxdf", "scipy.signal", "matplotlib", "pandas", "sklearn", "numba")
IMPORT_TIME = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s*(\S+)$", re.MULTILINE)
SHARED_OBJECT = re.compile(r"site-packages/([^/]+)/.*\.so", re.MULTILINE)


def forbidden_among(names: set[str]) -> list[str]:
    return sorted(n for n in names if any(n == f or n.startswith(f"{f}.") for f in FORBIDDEN))


def test_torch_mne_pyxdf_and_scipy_signal_are_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(2500), trial_markers(2500))
    name = unique("modules")
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # each import becomes a line on stderr
    record = f'[record]\ndirectory = "{tmp_path}/recordings"\n'
    with running(tmp_path, tmp_path / "b", stream=name, more=record) as daemon:
        monkeypatch.delenv("PYTHONPROFILEIMPORTTIME")
        headset = start("replay", recording, "--through", "lsl", "--name", name, "--speed", "2")
        daemon.wait_state("decoding")
        assert daemon.ask(do="status")["ok"] is True
        mapped = set(SHARED_OBJECT.findall(_maps(daemon.process.pid)))
        daemon.wait_event("stream_lost", 60)
        headset.communicate(timeout=60)
        assert daemon.stop() == 0, daemon.log()
    imported = set(IMPORT_TIME.findall((tmp_path / "daemon.log").read_text()))
    assert {
        "numpy",
        "pylsl",
        "zmq",
        "onnxruntime",
        "runtime.daemon",
        "runtime.recordings.recorder",
    } <= imported
    assert forbidden_among(imported) == []
    assert not imported & set(UNASKED)
    assert {"numpy", "onnxruntime", "scipy"} <= mapped  # scipy: the one kernel file, by itself
    assert forbidden_among(mapped) == []


def test_a_forbidden_import_would_be_seen() -> None:
    line = "import time:       263 |        263 |     scipy.signal._spline"
    assert forbidden_among(set(IMPORT_TIME.findall(line))) == ["scipy.signal._spline"]
    assert forbidden_among({"scipy", "scipy.signaltools", "mnemonic"}) == []


def _maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()
