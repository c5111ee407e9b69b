"""A subscriber outside Python, in Node: it hears each final once, through a kill of the daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runtime.journal_store import Store

pytestmark = pytest.mark.live

HERE = Path(__file__).parent
SPEAKER = HERE / "speaker.py"


@pytest.fixture(scope="module")
def subscriber(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node program with its one dependency, installed as its lock file says."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not here")
    folder = tmp_path_factory.mktemp("node") / "subscriber"
    shutil.copytree(HERE / "node_subscriber", folder, ignore=shutil.ignore_patterns("node_modules"))
    told = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode and not os.environ.get("CI"):
        pytest.skip(f"npm cannot install zeromq here: {told.stderr[-300:]}")
    assert told.returncode == 0, told.stderr
    return folder / "subscriber.mjs"


def speak(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, str(SPEAKER), str(folder / "journal.sqlite")),
            *(f"ipc://{folder}/publish", f"ipc://{folder}/control"),
        ],
        stdout=subprocess.DEVNULL,
        cwd=SPEAKER.parents[2],
    )


def end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()


def test_node_hears_each_final_once_through_a_kill(subscriber: Path, tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    with subprocess.Popen(
        ["node", str(subscriber), f"ipc://{tmp_path}/publish", f"ipc://{tmp_path}/control"],
        stdout=subprocess.PIPE,
        text=True,
    ) as node:
        assert node.stdout is not None
        speaker = speak(tmp_path)
        try:
            while len(heard) < 40:
                heard.append(json.loads(node.stdout.readline()))
            time.sleep(0.1)
            end(speaker)
            speaker = speak(tmp_path)
            while len({final["session"] for final in heard}) < 2 or heard[-1]["seq"] < 40:
                heard.append(json.loads(node.stdout.readline()))
        finally:
            end(speaker)
            end(node)
    store = Store(tmp_path / "journal.sqlite")
    sessions = [stored.session for stored in store.sessions()]
    n_first = store.sessions()[0].n_finals
    store.close()
    names = [(final["session"], final["seq"]) for final in heard]
    assert names[:n_first] == [(sessions[0], seq) for seq in range(n_first)]
    assert names[n_first:] == [(sessions[1], seq) for seq in range(len(names) - n_first)]
    first = heard[:n_first]
    assert "".join(final["text"] for final in first)[-1000:] == first[-1]["transcript"]
