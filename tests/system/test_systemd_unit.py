"""The unit is one that systemd takes, and its confinement one that the daemon's libraries bear."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "eegscribe@.service"

CONFINED = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE: what MemoryDenyWriteExecute= forbids
    sys.exit(77)
import msgspec, numpy, onnxruntime, pylsl, sqlite3, structlog, zmq
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("mdwe", "EEG", 2, 100, "float32", "mdwe"))
print(onnxruntime.get_available_providers(), numpy.ones(3).sum(), pylsl.library_version())
"""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("name", ["eegscribe@.service", "eegscribe@bench1.service"])
def test_systemd_accepts_the_unit(tmp_path: Path, name: str) -> None:
    copy = tmp_path / name
    shutil.copy(UNIT, copy)
    told = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert str(copy) not in told.stderr, told.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_is_confined(tmp_path: Path) -> None:
    copy = tmp_path / "eegscribe@bench1.service"
    shutil.copy(UNIT, copy)
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-500:]


def test_no_restart_where_none_helps() -> None:
    lines = UNIT.read_text().splitlines()
    assert "RestartPreventExitStatus=2 65 78" in lines
    assert "Type=notify" in lines
    assert any(line.startswith("WatchdogSec=") for line in lines)


def test_the_libraries_bear_memory_that_is_never_made_executable() -> None:
    told = subprocess.run(
        [sys.executable, "-c", CONFINED], capture_output=True, text=True, check=False
    )
    if told.returncode == 77:
        pytest.skip(f"this kernel cannot refuse it ({ctypes.get_errno()})")
    assert told.returncode == 0, told.stderr
    assert "CPUExecutionProvider" in told.stdout
