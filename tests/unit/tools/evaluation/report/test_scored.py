from __future__ import annotations

from pathlib import Path

from tests.pages import Elements
from tools.evaluation.judgement import Claim, Judge
from tools.evaluation.pairs import Pair, normalised
from tools.evaluation.report.data import PAGE, read_folder
from tools.evaluation.report.scored import rows_of, write_scored
from tools.evaluation.summary import summary

PAIRS = [
    Pair(
        reference=f"The {word}, no. {k}.",
        hypothesis=f"the {word}",
        teacher_forced=f"The {word} {k}",
        recording=f"r{k % 2}" if k % 3 else "",
    )
    for k, word in enumerate(["cat", "dog", "sun", "sea"] * 10)
]


def test_rows_hold_what_was_claimed_as_it_was_written() -> None:
    free, forced = rows_of(PAIRS, {"noise": PAIRS}), rows_of(PAIRS, {}, is_forced=True)
    assert free[1].reference == "The dog, no. 1."
    assert free[1].hypothesis == "the dog"
    assert free[1].controls == {"noise": "the dog"}
    assert forced[1].hypothesis == "The dog 1"
    assert [row.number for row in free] == list(range(40))


def test_a_folder_of_scores_has_the_same_page(tmp_path: Path) -> None:
    pairs, _ = normalised(PAIRS, "basic")
    judge = Judge(pairs, Claim(unit="words"), n_draws=200, n_permutations=99)
    told = summary(judge.judge({"noise": pairs}), how="basic")
    out = tmp_path / "report"
    rows = rows_of(PAIRS, {"noise": pairs})
    write_scored(out, rows, told, title="outputs", made_of={"command": "x"}, seed=0)
    assert sorted(p.name for p in out.iterdir()) == ["evaluation.json", PAGE, "rows.jsonl"]
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in out.iterdir())
    found = Elements((out / PAGE).read_text())
    assert found.faults == []
    assert "Does outputs read EEG?" in found.text
    assert "By recording" not in found.text  # some rows do not say which
    folder = read_folder(out)
    assert len(folder.rows) == 40
    assert folder.evaluation.made_of["created"].endswith("Z")
