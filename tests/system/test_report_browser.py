"""A report in a real browser, with no network: it is all there, and asks for nothing."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.given import DATA, needs_data
from tests.pages import Elements
from tests.reports import SPEED, selections, texts, write_folder
from tools.cli import main
from tools.evaluation.report.report import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOUND = next((path for name in BROWSERS if (path := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(FOUND is None, reason=f"none of {', '.join(BROWSERS)} on PATH")

WIDTH, HEIGHT = 1200, 1600
SCRIPT = "<script>document.title = 'harmed'</script>"

pytestmark = needs_browser


def browse(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page as a person would, but that nothing outside can be reached."""
    assert FOUND is not None
    return subprocess.run(
        [
            FOUND,
            "--headless",
            "--no-sandbox",  # a container has no namespaces to give
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--user-data-dir={folder}",
            f"--window-size={WIDTH},{HEIGHT}",
            *options,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )


def found_in(page: Path, folder: Path) -> Elements:
    """What the browser made of a page."""
    return Elements(browse(page, folder, "--dump-dom").stdout)


def pixels(page: Path, folder: Path, *options: str) -> np.ndarray:
    """A page as it looks (height, width, 3), 0 to 255."""
    from matplotlib.image import imread

    picture = folder / "page.png"
    browse(page, folder, f"--screenshot={picture}", *options)
    return np.round(255 * imread(picture)[..., :3]).astype(int)


def share_near(image: np.ndarray, colour: tuple[int, int, int]) -> float:
    """The share of pixels that have about this colour."""
    return float(np.mean(np.abs(image - np.array(colour)).max(axis=2) < 24))


@contextlib.contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A web server on this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_all_of_it_is_there(tmp_path: Path) -> None:
    write_folder(tmp_path / "report", selections(), **SPEED)
    written = write_report(tmp_path / "report")
    found = found_in(written, tmp_path / "profile")
    for said in ("reads EEG", "Noise in place of EEG", "Confusion matrix", "Hard examples"):
        assert said in found.text
    there = Elements(written.read_text())
    for name in ("section", "svg", "table", "circle"):
        assert found.names.count(name) == there.names.count(name) > 0


def test_it_can_be_seen_by_day_and_by_night(tmp_path: Path) -> None:
    write_folder(tmp_path / "report", selections())
    page = write_report(tmp_path / "report")
    day = pixels(page, tmp_path / "profile")
    night = pixels(page, tmp_path / "profile", "--blink-settings=preferredColorScheme=0")
    assert day.shape == night.shape == (HEIGHT, WIDTH, 3)
    assert day.mean() > 200 > 80 > night.mean()
    for image, eeg, noise in (
        (day, (0x00, 0x72, 0xB2), (0xC2, 0x50, 0x0A)),
        (night, (0x5A, 0xB6, 0xEE), (0xF0, 0xA3, 0x3C)),
    ):
        assert image.std() > 15  # not blank
        assert share_near(image, eeg) > 1e-4  # the mark of EEG
        assert share_near(image, noise) > 1e-4  # and those of noise


def test_nothing_is_cut_off(tmp_path: Path) -> None:
    """Of a wide window the margins at both sides stay free, however far one scrolls."""
    rows = selections(recording="a-very-long-name-of-a-recording-" * 4 + ".xdf")
    write_folder(tmp_path / "report", rows, **SPEED)
    page = write_report(tmp_path / "report")
    image = pixels(page, tmp_path / "profile", f"--window-size={WIDTH},9000")
    assert (image[:, :40] == image[0, 0]).all()
    assert (image[:, -40:] == image[0, 0]).all()


def test_it_asks_for_nothing_even_if_a_text_wants_it_to(tmp_path: Path) -> None:
    with listening() as (port, asked):
        there = f"http://127.0.0.1:{port}/x.png"
        wants = f'<img src="{there}"><link rel=stylesheet href="{there}">{SCRIPT}'
        rows = selections(recording=f'">{wants}', subject=wants)
        write_folder(tmp_path / "report", rows, title=wants, made_of={wants: wants})
        page = write_report(tmp_path / "report")
        found = found_in(page, tmp_path / "profile")
        assert found.faults == []
        assert wants in found.text
        # Were it ever to come through as markup, the page itself still forbids it.
        through = tmp_path / "through.html"
        through.write_text(page.read_text().replace("</main>", f"</main>{wants}"))
        told = browse(through, tmp_path / "profile", "--dump-dom").stdout
        assert "<img" in told
        assert "<title>harmed" not in told
        assert asked == []
        # And any other page would have asked.
        through.write_text(wants)
        assert "<title>harmed" in browse(through, tmp_path / "profile", "--dump-dom").stdout
        assert asked


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    for name, wrong in (("one", 0.6), ("two", 0.1)):
        write_folder(tmp_path / name, texts(wrong=wrong), unit="words", title=name)
    page = tmp_path / "compared.html"
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two"), "--out", str(page)]) == 0
    found = found_in(page, tmp_path / "profile")
    assert "yes, errs less" in found.text
    assert pixels(page, tmp_path / "profile").std() > 15


@needs_data
def test_published_outputs(tmp_path: Path) -> None:
    outputs = DATA / "outputs"
    words = ["score", str(outputs / "train_eeg_test_eeg.jsonl"), "--out", str(tmp_path / "report")]
    noise = f"noise={outputs / 'train_eeg_test_noise.jsonl'}"
    assert main([*words, "--against", noise]) == 0
    found = found_in(tmp_path / "report" / "report.html", tmp_path / "profile")
    assert found.faults == []
    for said in ("not shown", "1.111 [", "teacher-forced (no user can)", "By length"):
        assert said in found.text
