from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.reports import selections, write_folder
from tools.cli import main


@pytest.fixture
def reports(tmp_path: Path) -> list[str]:
    for name, snr in (("old", 1.0), ("new", 4.0)):
        write_folder(tmp_path / name, selections(80, snr=snr), title=name)
    return [str(tmp_path / "old"), str(tmp_path / "new")]


def test_the_last_line_is_a_summary(reports: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *reports, "--json"]) == 0
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["type"] == "comparison"
    assert last["type"] == "summary"
    assert [run["name"] for run in last["runs"]] == ["old", "new"]
    (one,) = last["comparisons"]
    assert one["drawn"] == "paired"
    assert one["beyond_noise"]
    assert one["interval"][0] <= one["difference"] <= one["interval"][1] < 0


def test_it_prints_what_is_beyond_noise(
    reports: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "compared.html"
    assert main(["compare", *reports, "--out", str(page)]) == 0
    told = capsys.readouterr().out
    assert "yes, errs less" in told
    assert "paired" in told
    assert f"wrote {page}" in told
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ([], 2, "wanted two or more"),
        (["nowhere"], 65, "nowhere: cannot be read"),
        (["x", "--seed", "-1"], 2, "--seed: got -1"),
    ],
)
def test_wrong_use_is_one_sentence(
    more: list[str],
    code: int,
    said: str,
    reports: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compare", reports[0], *more]) == code
    assert said in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_said(
    reports: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["compare", *reports, "--out", str(tmp_path / "no" / "page.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
