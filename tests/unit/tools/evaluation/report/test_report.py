from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tests.pages import Elements
from tests.report_rows import row
from tests.reports import SPEED, selections, texts, write_folder
from tools.evaluation.report.charts import Chart, Heat
from tools.evaluation.report.data import read_folder
from tools.evaluation.report.report import page_of, write_report

MINIMAL: dict[str, Any] = {
    "primary": {"error": "words", "estimate": 0.5},
    "verdict": "not shown",
    "reasons": ["(b) no outputs for noise in place of EEG are given"],
}


def page(folder: Path) -> Elements:
    found = Elements(write_report(folder).read_text(encoding="utf-8"))
    assert found.faults == []
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert len(set(found.ids)) == len(found.ids)
    return found


def minimal(folder: Path, **changes: Any) -> Path:
    (folder / "evaluation.json").write_text(json.dumps(MINIMAL | changes))
    return folder


def test_selections_have_every_section(tmp_path: Path) -> None:
    write_folder(tmp_path, selections(), **SPEED)
    found = page(tmp_path)
    for said in (
        "Does made up read EEG?",
        "reads EEG",
        "Noise in place of EEG",
        "right by chance 12.5%",
        "Is it more than chance agreement?",
        "run1.xdf",
        "90.0 [80.0, 100.0] bits a minute",
        "Confusion matrix",
        "Reliability",
        "ROC: area",
        "Wrong, and written",
        "eegscribe evaluate b.eegb run1.xdf",
    ):
        assert said in found.text, said
    assert "imulated" not in found.text


def test_texts_have_theirs(tmp_path: Path) -> None:
    write_folder(tmp_path, texts(), unit="words")
    found = page(tmp_path)
    for said in ("WER", "By length", "language model off", "Common and rare words", "Furthest"):
        assert said in found.text, said
    assert "Confusion matrix" not in found.text


def test_what_is_simulated_is_called_so_in_every_section(tmp_path: Path) -> None:
    write_folder(tmp_path, selections(), simulated=True)
    found = page(tmp_path)
    assert "Simulated data." in found.text
    assert found.names.count("section") == found.text.count(" simulated ")


def test_every_section_says_how_to_read_it_and_every_picture_what_it_shows(tmp_path: Path) -> None:
    write_folder(tmp_path, selections(), **SPEED)
    for section in page_of(read_folder(tmp_path)).sections:
        assert section.reading.endswith("."), section.title
        for part in section.parts:
            if isinstance(part, Chart | Heat):
                assert part.alt
                assert part.caption


def test_an_evaluation_with_nothing_but_a_verdict_has_a_page(tmp_path: Path) -> None:
    found = page(minimal(tmp_path))
    assert "not shown" in found.text
    assert MINIMAL["reasons"][0] in found.text


def test_rows_that_say_nothing_of_their_place_have_a_page(tmp_path: Path) -> None:
    rows = [row(k, recording="", samples=(0, 0), start_s=0.0, duration_s=0.0) for k in range(40)]
    write_folder(tmp_path, rows, unit="words", recordings=[])
    assert "By recording" not in page(tmp_path).text


def test_the_page_is_for_its_owner_and_old_or_new(tmp_path: Path) -> None:
    write_report(minimal(tmp_path))
    old = (tmp_path / "report.html").read_bytes()
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600
    (tmp_path / "evaluation.json").write_text('{"primary":')
    with pytest.raises(RecordingError):
        write_report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == old
    assert {file.name for file in tmp_path.iterdir()} == {"report.html", "evaluation.json"}


def test_the_page_refuses_scripts_and_the_network_itself(tmp_path: Path) -> None:
    written = write_report(minimal(tmp_path)).read_text()
    assert "default-src 'none'" in written
    assert "http://" not in written
    assert "https://" not in written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "wanted an evaluation of ours"),
        ("[]", "Expected `object`"),
        (json.dumps(MINIMAL | {"verdict": "splendid"}), "$.verdict"),
        (json.dumps(MINIMAL | {"controls": {"inputs": {"n": 1}}}), "$.controls.inputs"),
        ("\xff", "wanted an evaluation of ours"),
    ],
)
def test_what_is_no_evaluation_is_refused_in_one_sentence(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "evaluation.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordingError, match="evaluation.json: ") as caught:
        write_report(tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="evaluation.json: cannot be read"):
        write_report(tmp_path)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg></table>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; $\\frac{1$ \x00\x1b[31m \u202e",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_does_nothing(text: str, tmp_path: Path) -> None:
    rows = [
        row(
            k,
            reference=text if k % 2 else "A",
            hypothesis=text,
            recording=text,
            leading=text,
            posteriors={text: 0.9, "A": 0.1},
            controls={text: "A"},
        )
        for k in range(40)
    ]
    write_folder(
        tmp_path,
        rows,
        title=text,
        reasons=[text],
        most_frequent={"hypothesis": text, "rows": 1},
        bundle={"name": text, "sha256": text},
        made_of={text: {text: [text]}},
        throughput={text: text},
        latency_ms={text: {"p50": 1.0}},
    )
    found = page(tmp_path)
    shown = "".join(c if c >= " " else "�" for c in text)
    assert " ".join(shown.split()) in found.text


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=6), min_size=3, max_size=12), st.data())
def test_any_text_leaves_the_page_whole(said: list[str], data: st.DataObject) -> None:
    import tempfile

    unit = data.draw(st.sampled_from(["words", "characters"]))
    rows = [
        row(k, reference=f"a{text}", hypothesis=said[k - 1], recording=text, confidence=k / 20)
        for k, text in enumerate(said)
    ]
    with tempfile.TemporaryDirectory() as folder:
        evaluation = {
            "primary": {"error": unit, "estimate": 0.5},
            "normalise": data.draw(st.sampled_from(["none", "basic"])),
            "recordings": [{"name": text, "estimate": 0.1} for text in said],
        }
        from tools.evaluation.rows import write_rows

        write_rows(Path(folder) / "rows.jsonl", rows)
        page(minimal(Path(folder), **evaluation))
