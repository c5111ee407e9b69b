from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tests.pages import Elements
from tests.reports import selections, texts, write_folder
from tools.evaluation.permutation import holm
from tools.evaluation.report.comparison import Comparison, Run, compare, read_runs
from tools.evaluation.report.comparison_page import comparison_page
from tools.evaluation.report.data import EVALUATION, ROWS, Evaluation, Folder, Primary
from tools.evaluation.report.page import html
from tools.evaluation.rows import Row


def run_of(name: str, rows: list[Row]) -> Run:
    """A run of selections that were never judged."""
    wrong = np.mean([row.reference != row.hypothesis for row in rows])
    found = Evaluation(
        primary=Primary("selections", float(wrong)),
        verdict="not shown",
        reasons=(),
        normalise="none",
    )
    return Run(name, Folder(Path(name), found, tuple(rows)))


def changed(rows: list[Row], places: range, hypothesis: str = "") -> list[Row]:
    """The same rows, with something else written at some of them."""
    return [
        msgspec.structs.replace(row, hypothesis=hypothesis) if k in places else row
        for k, row in enumerate(rows)
    ]


def against(one: list[Row], other: list[Row]) -> Comparison:
    (found,) = compare([run_of("one", one), run_of("other", other)])
    return found


def test_a_run_does_not_differ_from_itself() -> None:
    found = against(selections(), selections())
    assert found.how == "paired"
    assert (found.difference.estimate, found.difference.low, found.difference.high) == (0, 0, 0)
    assert found.p == found.adjusted == 1.0
    assert not found.is_beyond_noise


def test_what_both_find_hard_does_not_count_if_rows_are_the_same() -> None:
    """Half of all is wrong in both; ten more in one of them: only drawn together is that clear."""
    half = changed(selections(200), range(100))
    worse = changed(half, range(100, 115))
    paired = against(half, worse)
    assert paired.how == "paired"
    assert paired.is_beyond_noise
    assert paired.difference.estimate > 0
    elsewhere = [msgspec.structs.replace(row, recording="another.xdf") for row in worse]
    unpaired = against(half, elsewhere)
    assert unpaired.how == "unpaired"
    assert not unpaired.is_beyond_noise
    assert unpaired.difference.estimate == paired.difference.estimate


def test_the_order_of_rows_is_nothing() -> None:
    one, other = selections(seed=1), selections(seed=2)
    assert against(one, other) == against(one, other[::-1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_exchanging_the_runs_turns_the_difference_around(seed: int, other: int) -> None:
    one, two = selections(snr=0.5, seed=seed), selections(snr=0.5, seed=other)
    there, back = against(one, two), against(two, one)
    assert there.difference.estimate == pytest.approx(-back.difference.estimate)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there.p == back.p


def test_equal_systems_rarely_differ() -> None:
    """Equal by construction: each wrong in a quarter of the trials, independently."""
    n_beyond = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        pairs = []
        for _ in range(2):
            wrong = rng.random(64) < 0.25
            pairs.append(
                [
                    msgspec.structs.replace(row, hypothesis="" if bad else row.reference)
                    for row, bad in zip(BASE, wrong, strict=True)
                ]
            )
        n_beyond += against(*pairs).is_beyond_noise
    assert n_beyond <= 11  # 5 expected; more than 11 of 100 has p < .005


BASE = selections(64)


def test_several_comparisons_are_corrected_for() -> None:
    base = selections(64)
    runs = [run_of(str(n), changed(base, range(n))) for n in (0, 5, 6, 7)]
    found = compare(runs)
    assert [one.other for one in found] == ["5", "6", "7"]
    assert [one.adjusted for one in found] == holm([one.p for one in found])


def test_folders_are_read_and_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_folder(tmp_path / name, selections(40))
    write_folder(tmp_path / "c", selections(40), title="c")
    runs = read_runs([tmp_path / "a", tmp_path / "b" / EVALUATION, tmp_path / "c"])
    assert [run.name for run in runs] == ["made up (a)", "made up (b)", "c"]
    assert all(one.how == "paired" for one in compare(runs))


def test_without_rows_the_intervals_are_compared(tmp_path: Path) -> None:
    for name, n_wrong in (("good", 0), ("bad", 50)):
        write_folder(tmp_path / name, changed(selections(80), range(n_wrong)), title=name)
        (tmp_path / name / ROWS).unlink()
    (found,) = compare(read_runs([tmp_path / "good", tmp_path / "bad"]))
    assert found.how == "from intervals"
    assert found.is_beyond_noise


def test_what_cannot_be_compared_is_refused_in_one_sentence(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", selections(40))
    write_folder(tmp_path / "words", texts(30), unit="words")
    write_folder(tmp_path / "characters", texts(30), unit="characters", normalise="none")
    write_folder(tmp_path / "none", texts(30), unit="words", normalise="none")
    write_folder(tmp_path / "forced", texts(30), unit="words", claim="teacher-forced")
    for one, other, said in (
        ("a", "words", "is judged by WER, wanted 1 - accuracy as in made up"),
        ("words", "none", "has normalisation none, wanted basic"),
        ("words", "forced", "claims teacher-forced output, wanted free-running output"),
    ):
        with pytest.raises(RecordingError, match=said) as caught:
            read_runs([tmp_path / one, tmp_path / other])
        assert str(caught.value).startswith(str(tmp_path / other))


def test_rows_of_another_evaluation_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", selections(40))
    write_folder(tmp_path / "b", changed(selections(40), range(9)))
    (tmp_path / "b" / ROWS).replace(tmp_path / "a" / ROWS)
    with pytest.raises(RecordingError, match=r"rows\.jsonl gives an error of .* of one evaluation"):
        read_runs([tmp_path / "a", tmp_path / "a"])


def test_the_page_says_what_is_beyond_noise(tmp_path: Path) -> None:
    title = "<script>b</script>"
    write_folder(tmp_path / "a", selections(80), title="a", simulated=True)
    write_folder(tmp_path / "b", changed(selections(80), range(40)), title=title)
    runs = read_runs([tmp_path / "a", tmp_path / "b"])
    found = Elements(html(comparison_page(runs, compare(runs))).decode())
    assert found.faults == []
    for said in ("reads EEG", "yes, errs more", "paired: both wrote for the same rows", title):
        assert said in found.text
    assert "Simulated: a." in found.text
