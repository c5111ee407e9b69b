"""``sweep``: the columns of its CSV are a contract."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.bundle import load_bundle
from tests.bundles import make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tests.report_rows import of_scores, row, selection
from tools.cli import main
from tools.evaluation.figures.operating_points import METRICS
from tools.evaluation.rows import Row, read_rows, write_rows

COLUMNS = "threshold,mcc,accuracy,precision,recall,f1,fnr,fpr,tp,tn,fp,fn"


def report(path: Path, rows: list[Row]) -> Path:
    path.mkdir(exist_ok=True)
    write_rows(path / "rows.jsonl", rows)
    return path


def drawn(n: int = 60) -> list[Row]:
    """Decisions of which the surer ones are right more often, in three recordings."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.25, 1.0, n)
    rights = rng.random(n) < scores
    rows = of_scores(scores.tolist(), rights.tolist())
    return [row_of(one, f"run{k % 3}") for k, one in enumerate(rows)]


def row_of(one: Row, recording: str) -> Row:
    return selection(one.number, one.reference, dict(one.posteriors or {}), recording=recording)


def swept(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert main(["sweep", *map(str, words), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main(["sweep", *map(str, words)]) == 65
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.removeprefix("eegscribe: ").rstrip("\n")


def test_the_csv_is_written_and_agrees_with_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path / "d", drawn())
    summary = swept(capsys, folder, "--best", "f1")
    with (folder / "sweep.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert ",".join(lines[0]) == COLUMNS
    thresholds = [float(line["threshold"]) for line in lines]
    assert thresholds == sorted(thresholds)
    assert len(lines) == 62
    point = summary["best"]["point"]
    (line,) = (one for one in lines if float(one["threshold"]) == point["threshold"])
    assert {name: float(value) for name, value in line.items()} == point
    assert point["f1"] == max(float(one["f1"]) for one in lines if one["f1"])
    assert summary["type"] == "summary"
    assert summary["csv"] == str(folder / "sweep.csv")
    assert summary["written_back"] is None
    assert list(summary["operating_points"]["best"]) == list(METRICS)
    assert summary["operating_points"]["roc"]["area"] > 0.6
    assert summary["best"]["held_out"]["f1"] <= point["f1"]


def test_people_read_each_figure_beside_chance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path / "d", [*drawn(), row(99, hypothesis="")])
    assert main(["sweep", str(folder), "--csv", str(tmp_path / "s.csv")]) == 0
    said = capsys.readouterr().out
    assert (tmp_path / "s.csv").is_file()
    assert not (folder / "sweep.csv").exists()
    for part in (
        "(chance 50.0%); swept over their posterior",
        "(chance .5)",
        "1 rows that say nothing of how sure they are were left out",
        "best mcc at threshold",
        "best    held out      chance  writes all",
        f"{tmp_path}/s.csv: 62 thresholds",
    ):
        assert part in said


def test_the_help_says_what_is_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    said = capsys.readouterr().out
    for part in ("tp  right and written", "fp  wrong and written", "tn  wrong and withheld"):
        assert part in said
    assert "eegscribe sweep report/" in said


def test_the_threshold_written_back_is_what_the_decoder_then_withholds_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sweep of an evaluation foresees what the evaluation of the new bundle finds."""
    bundle, folder = tmp_path / "b.eegb", tmp_path / "report"
    make_bundle(bundle, head="selection")
    recording = write_recording(tmp_path / "r.xdf", noise(6000), trial_markers(6000))
    evaluate = ["evaluate", *map(str, (recording, "--out", folder, "--controls", "none"))]
    evaluate.insert(1, str(bundle))
    assert main(evaluate) == 0
    was = load_bundle(bundle)
    capsys.readouterr()
    summary = swept(capsys, folder, "--best", "accuracy", "--write-back", bundle)
    written, point = summary["written_back"], summary["best"]["point"]
    now = load_bundle(bundle)
    assert written["was_sha256"] == was.sha256
    assert written["sha256"] == now.sha256 != was.sha256
    assert now.manifest.evaluation.verdict == "not evaluated"
    assert point["fn"] + point["tn"] > 0
    assert main(evaluate) == 0
    capsys.readouterr()
    again = read_rows(folder / "rows.jsonl")
    n_right = sum(one.hypothesis == one.reference for one in again)
    n_written = sum(bool(one.hypothesis) for one in again)
    assert (n_right, n_written - n_right) == (point["tp"], point["fp"])
    assert swept(capsys, folder)["operating_points"] == summary["operating_points"]


def test_a_bundle_that_was_not_evaluated_is_not_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path / "d", drawn())
    make_bundle(tmp_path / "b.eegb", head="selection")
    evaluation = {
        "primary": {"error": "selections", "estimate": 0.5},
        "verdict": "not shown",
        "reasons": [],
        "bundle": {"name": "b", "sha256": "ab" * 32, "written": "cd" * 32},
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    said = refused(capsys, folder, "--write-back", tmp_path / "b.eegb")
    assert said.endswith("that decoded the rows, wanted abababababab, cdcdcdcdcdcd")
    (folder / "evaluation.json").write_text("{")
    assert "evaluation.json" in refused(capsys, folder)


def test_a_bundle_is_told_how_it_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "b.eegb"
    make_bundle(bundle, head="selection")
    folder = report(tmp_path / "d", drawn())
    words = ["sweep", str(folder), "--write-back", str(bundle)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "decoder.abstain_below 0.0 -> 0." in said
    assert 'verdict "not evaluated", as before' in said
    assert load_bundle(bundle).sha256 in said
    assert main(words) == 0
    assert "already; nothing was changed" in capsys.readouterr().out


def test_what_cannot_be_swept_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = refused(capsys, tmp_path / "none")
    assert missing == f"{tmp_path}/none/rows.jsonl: cannot be read (No such file or directory)"
    empty = refused(capsys, report(tmp_path / "empty", []))
    assert empty.endswith("rows.jsonl: holds no rows, wanted those of an evaluation")
    unsure = refused(capsys, report(tmp_path / "unsure", [row(), row(1)]))
    assert "none of 2 rows says how sure the decoder was, wanted posteriors" in unsure
    bad = report(tmp_path / "bad", [selection(0, "A", {"A": 0.5}), row(4, posteriors={"A": 7.0})])
    assert refused(capsys, bad) == (
        f"{bad}/rows.jsonl: row 4: posterior of 'A': got 7, wanted 0 to 1"
    )
    assert not (bad / "sweep.csv").exists()
    assert "cannot be written" in refused(
        capsys, report(tmp_path / "d", drawn()), "--csv", tmp_path / "no" / "where.csv"
    )


def test_a_refused_bundle_leaves_no_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = report(tmp_path / "d", drawn())
    make_bundle(tmp_path / "ctc")
    assert "selects symbols" in refused(capsys, folder, "--write-back", tmp_path / "ctc")
    assert "no such bundle" in refused(capsys, folder, "--write-back", tmp_path / "none")
    assert not (folder / "sweep.csv").exists()
    wrong = report(tmp_path / "w", of_scores([0.5, 0.7], [False, False]))
    make_bundle(tmp_path / "b.eegb", head="selection")
    said = refused(capsys, wrong, "--write-back", tmp_path / "b.eegb", "--best", "recall")
    assert "recall is undefined at every threshold (no decision is right" in said


def test_sentences_are_swept_over_their_confidence_and_no_bundle_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        row(0, reference="Good day.", hypothesis="good day", confidence=0.9),
        row(1, reference="good night", hypothesis="good light", confidence=0.4),
        row(2, reference="yes", hypothesis=""),
    ]
    folder = report(tmp_path / "d", rows)
    found = swept(capsys, folder)
    figures, point = found["operating_points"], found["best"]["point"]
    assert (figures["score"], figures["n"], figures["n_right"]) == ("confidence", 2, 1)
    assert (figures["n_left_out"], figures["guess"]) == (1, None)
    assert (point["threshold"], point["mcc"]) == (0.9, 1.0)
    assert found["best"]["held_out"] is None
    make_bundle(tmp_path / "ctc")
    assert "writes sentences" in refused(capsys, folder, "--write-back", tmp_path / "ctc")


def test_decisions_of_one_kind_are_swept_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path / "d", of_scores([0.5, 0.7], [True, True]))
    assert main(["sweep", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "no decision is wrong: ROC, mcc and fpr are undefined" in said
    assert "mcc is undefined at every threshold" in said
    assert (folder / "sweep.csv").read_text().splitlines()[1] == "0.0,,1.0,1.0,1.0,1.0,0.0,,2,0,0,0"


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_file_of_rows_is_refused_or_read(
    data: st.DataObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path / "d", drawn(3))
    whole = (folder / "rows.jsonl").read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=2))
    (folder / "rows.jsonl").write_bytes(whole[:place] + byte + whole[place + 1 :])
    assert main(["sweep", str(folder)]) in {0, 65}
    capsys.readouterr()
