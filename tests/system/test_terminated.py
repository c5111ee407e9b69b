"""A verb that gets SIGTERM leaves no temporary folder, and dies of that signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WAITING = """
import tempfile, time
from tools.console.termination import tidy_at_sigterm

with tidy_at_sigterm(), tempfile.TemporaryDirectory(dir={folder!r}):
    print("there", flush=True)
    time.sleep(60)
"""


def test_sigterm_gives_back_what_was_taken(tmp_path: Path) -> None:
    code = WAITING.format(folder=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        assert len(list(tmp_path.iterdir())) == 1
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert said == ""
    assert list(tmp_path.iterdir()) == []
