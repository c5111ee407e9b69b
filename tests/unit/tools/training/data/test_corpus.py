from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RecordingError
from tests.text_recordings import LABELS, eeg, write_array
from tools.training.data.corpus import read_corpus, who_of
from tools.training.data.settings import DataSettings

SPANS = [("ab", 300, 400), ("c", 700, 760)]


def test_recordings_are_described_and_no_samples_kept(tmp_path: Path) -> None:
    one = write_array(tmp_path / "monday.npy", SPANS)
    other = write_array(tmp_path / "tuesday.npy", [("b c", 0, 200)], seed=1)
    seen: list[int] = []
    corpus = read_corpus([one, other], DataSettings(), on_done=seen.append)
    assert seen == [1, 2]
    assert corpus.problems == ()
    assert [r.path for r in corpus.recordings] == [one, other]
    assert [s.text for r in corpus.recordings for s in r.spans] == ["ab", "c", "b c"]
    assert [(r.subject, r.session, r.n_samples) for r in corpus.recordings] == [
        ("", "monday", 3000), ("", "tuesday", 3000),
    ]  # fmt: skip
    assert corpus.symbols == (" ", "a", "b", "c")
    assert (corpus.rate_hz, corpus.channels) == (100.0, LABELS)
    assert set(corpus.digests()) == {"monday.npy", "tuesday.npy"}


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [write_array(tmp_path / d / "a.npy", SPANS, seed=k) for k, d in enumerate("xy")]
    assert set(read_corpus(paths, DataSettings()).digests()) == {"x/a.npy", "y/a.npy"}


def damaged_samples(kind: str) -> np.ndarray:
    samples = eeg(3000)
    if kind == "missing":
        samples[320:340, 0] = np.nan
    elif kind == "flat":
        samples[300:400, 1] = 7.0
    return samples


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("", "", "'' at 3.00 s is empty"),
        ("a\x00b", "", "characters that print"),
        ("ab", "missing", "lacks 6.7% of its values"),
        ("ab", "flat", "1 flat channels (Cz)"),
        ("q" * 10_001, "", "has 10001 characters"),
        ("q" * 50, "", "50 characters in 1.00 s"),
    ],
)
def test_a_span_that_cannot_be_used_is_left_out_and_told(
    tmp_path: Path, text: str, kind: str, said: str
) -> None:
    path = write_array(
        tmp_path / "a.npy", [(text, 300, 400), ("c", 700, 760)], samples=damaged_samples(kind)
    )
    corpus = read_corpus([path], DataSettings())
    assert [s.text for s in corpus.recordings[0].spans] == ["c"]
    assert corpus.recordings[0].lost == ((300, 400),)
    (problem,) = corpus.problems
    assert said in problem
    assert problem.startswith(f"{path}: text ")
    assert len(problem) < 300


def test_limits_are_settings(tmp_path: Path) -> None:
    samples = damaged_samples("missing")
    samples[:, 2] = 1.0
    path = write_array(tmp_path / "a.npy", SPANS, samples=samples)
    with pytest.raises(RecordingError, match=r"never change \(Pz\)"):
        read_corpus([path], DataSettings())
    lenient = DataSettings(max_missing=0.1, n_flat=1)
    assert read_corpus([path], lenient).problems == ()
    strict = DataSettings(max_missing=0.1, n_flat=1, longest_s=0.9)
    corpus = read_corpus([path], strict)
    assert "takes 1 s, wanted at most 0.9 s" in corpus.problems[0]


def test_characters_outside_the_vocabulary_are_told(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.npy", [("ab", 300, 400), ("aQ", 700, 760)])
    corpus = read_corpus([path], DataSettings(), allowed=set("ab"))
    assert "'Q'" in corpus.problems[0]
    assert "characters of the vocabulary" in corpus.problems[0]


def test_a_span_beyond_the_recording_and_a_pair_that_does_not_close(tmp_path: Path) -> None:
    markers = [("text:x", 1000), ("text:y", 1100), ("text:end", 1200), ("text:z", 2990)]
    path = write_array(tmp_path / "a.npy", SPANS, markers=[*markers, ("text:end", 3100)])
    corpus = read_corpus([path], DataSettings())
    assert [s.text for s in corpus.recordings[0].spans] == ["ab", "c"]
    assert corpus.recordings[0].lost == ((1000, 1200), (2990, 3100))
    assert "'text:x' is still open" in corpus.problems[0]
    assert "wanted some of the recording's 3000" in corpus.problems[1]


def test_texts_of_events_that_overlap_are_both_left_out(tmp_path: Path) -> None:
    path = write_array(tmp_path / "sub-1_eeg.npy", [])
    rows = "1\t5\ttext:a\n2\t1\ttext:b\n5.5\t1\ttext:c\n9\t1\ttext:d\n"
    (tmp_path / "sub-1_events.tsv").write_text(f"onset\tduration\ttrial_type\n{rows}")
    corpus = read_corpus([path], DataSettings())
    assert [s.text for s in corpus.recordings[0].spans] == ["d"]
    assert len(corpus.problems) == 3
    assert all("overlaps with" in problem for problem in corpus.problems)
    assert set(corpus.digests()) == {"sub-1_eeg.npy", "sub-1_events.tsv"}


def test_recordings_unlike_most_and_copies_are_left_out(tmp_path: Path) -> None:
    paths = [write_array(tmp_path / f"{k}.npy", SPANS, seed=k) for k in range(2)]
    odd = [
        write_array(tmp_path / "rate.npy", SPANS, seed=3, rate_hz=250.0),
        write_array(tmp_path / "names.npy", SPANS, seed=4, labels=("Fz", "Cz", "Oz")),
        write_array(tmp_path / "order.npy", SPANS, seed=5, labels=("Cz", "Fz", "Pz")),
        write_array(tmp_path / "copy.npy", SPANS, seed=0),
    ]
    corpus = read_corpus([*odd[:1], *paths, *odd[1:]], DataSettings())
    assert [r.path for r in corpus.recordings] == paths
    said = "\n".join(corpus.problems)
    for part in ("250 Hz, wanted 100 Hz", "differ in Oz, Pz", "in another order", "each once"):
        assert part in said


def test_after_so_many_errors_the_reading_stops_and_names_each(tmp_path: Path) -> None:
    good = write_array(tmp_path / "good.npy", SPANS)
    bad = [tmp_path / f"missing{k}.xdf" for k in range(9)]
    seen: list[int] = []
    with pytest.raises(RecordingError) as caught:
        read_corpus([good, *bad], DataSettings(), on_done=seen.append)
    assert caught.value.exit_code == 65
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("5 errors in the data")
    assert [f"missing{k}.xdf" in line for k, line in enumerate(lines[1:])] == [True] * 5
    assert seen == [1, 2, 3, 4, 5]
    assert len(read_corpus([good, *bad], DataSettings(max_errors=10)).problems) == 9


def test_nothing_to_learn_from_is_an_error_that_says_why(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.npy", [])
    with pytest.raises(RecordingError, match="no text to learn from in 1 recordings\n.*no text: m"):
        read_corpus([path], DataSettings())


@pytest.mark.parametrize(
    ("name", "recorded", "people", "who"),
    [
        ("monday.xdf", "", {}, ("", "monday")),
        ("monday.xdf", "ada", {}, ("ada", "monday")),
        ("sub-1_ses-2_eeg.edf", "ada", {}, ("1", "2")),
        ("sub-1_eeg.edf", "ada", {}, ("1", "")),
        ("monday.xdf", "ada", {"tues*": "x", "mon*": "eve/7"}, ("eve", "7")),
        ("monday.xdf", "ada", {"*.xdf": "eve"}, ("eve", "monday")),
        ("monday.xdf", "ada", {"*": "/9"}, ("ada", "9")),
    ],
)
def test_who_it_was_is_told_or_else_read_from_names_or_else_from_the_recording(
    name: str, recorded: str, people: dict[str, str], who: tuple[str, str]
) -> None:
    assert who_of(Path(name), recorded, people) == who
