from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tools.training.data.bids import entities, events_path, find_recordings, read_events
from tools.training.data.labelled_text import FOREVER, FoundSpans, TextSpan


def events(
    tmp_path: Path, text: str | bytes, *, column: str | None = None, prefix: str = "text:"
) -> FoundSpans:
    path = tmp_path / "a_events.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_events(path, rate_hz=100.0, column=column, prefix=prefix)


def test_rows_that_last_are_spans_and_others_pair(tmp_path: Path) -> None:
    found = events(
        tmp_path,
        "onset\tduration\ttrial_type\tvalue\n"
        "1.0\t0.5\ttext:one\t7\n"
        "2\tn/a\ttext:two\t\n"
        "2.5\tn/a\tcue\t\n"
        "3.004\t0\ttext:end\t\n",
    )
    assert found == FoundSpans((TextSpan("one", 100, 150), TextSpan("two", 200, 300)))


def test_the_column_and_the_prefix_may_be_named_and_cells_may_be_quoted(tmp_path: Path) -> None:
    table = 'duration\tsaid\tonset\r\n1\t"say ""hi""\tnow"\t2\r\n1\tn/a\t9\r\n'
    found = events(tmp_path, b"\xef\xbb\xbf" + table.encode(), column="said", prefix="")
    assert found.spans == (TextSpan('say "hi"\tnow', 200, 300),)


def test_value_is_read_where_there_is_no_trial_type(tmp_path: Path) -> None:
    assert events(tmp_path, "onset\tduration\tvalue\n1\t1\ttext:a\n").spans[0].text == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "wanted one named"),
        ("onset\ttrial_type\n1\ttext:a\n", "wanted one named duration"),
        ("onset\tduration\n1\t2\n", "wanted one named trial_type or value"),
        ("onset\tonset\tduration\tvalue\n1\t1\t2\ttext:a\n", "wanted one named onset"),
        ("onset\tduration\ttrial_type\n1\t2\tcue\n", "'cue'"),
        ("onset\tduration\ttrial_type\n", "no values"),
        ('onset\tduration\ttrial_type\n1\t1\t"text:a"b\n', "tab-separated"),
        (b"onset\tduration\ttrial_type\n1\t1\ttext:\xff\n", "byte 35 is not UTF-8"),
        ("onset\tduration\ttrial_type\n1\t1\ttext:" + "a" * 200_000 + "\n", "tab-separated"),
    ],
)
def test_what_is_no_table_of_texts_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(RecordingError, match=said) as caught:
        events(tmp_path, text)
    assert "a_events.tsv" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("cells", ["n/a\t1", "x\t1", "nan\t1", "inf\t1", "1\t-1", "1\t1e300"])
def test_a_row_that_says_no_time_is_told_and_no_rest_is_sure(tmp_path: Path, cells: str) -> None:
    table = f"onset\tduration\ttrial_type\n5\t1\ttext:a\n{cells}\ttext:b\n"
    found = events(tmp_path, table)
    assert found.spans == (TextSpan("a", 500, 600),)
    assert len(found.faults) == 1
    assert "line 3" in found.faults[0]
    assert found.lost == ((0, FOREVER),)


def test_a_row_of_another_width_is_told(tmp_path: Path) -> None:
    found = events(tmp_path, "onset\tduration\ttrial_type\n5\t1\ttext:a\n6\t1\n\n")
    assert found.faults == ("line 3 has 2 cells, wanted 3",)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300) | st.text('onset\tdurai_yp:\n\r"01.en/', max_size=300))
def test_any_bytes_are_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes | str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    head = b"onset\tduration\ttrial_type\n1\t1\ttext:a\n"
    for table in (data if isinstance(data, bytes) else data.encode(),):
        for text in (table, head + table):
            try:
                found = events(folder, text)
            except RecordingError as error:
                assert len(str(error)) < 600
            else:
                assert found.spans or found.faults


def test_a_folder_stands_for_its_raw_recordings(tmp_path: Path) -> None:
    wanted = [
        "sub-01/eeg/sub-01_task-a_eeg.vhdr",
        "sub-01/eeg/sub-01_task-b_eeg.EDF",
        "sub-02/ses-1/eeg/sub-02_ses-1_eeg.set",
    ]
    others = [
        "derivatives/x/sub-01_eeg.edf", ".git/sub-01_eeg.edf", "sub-01/eeg/sub-01_eeg.eeg",
        "sub-01/eeg/sub-01_task-a_events.tsv", "sub-01/anat/sub-01_T1w.nii",
    ]  # fmt: skip
    for name in (*wanted, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_recordings(tmp_path) == [tmp_path / name for name in wanted]
    assert find_recordings(tmp_path / "monday.xdf") == [tmp_path / "monday.xdf"]
    with pytest.raises(RecordingError, match="no recordings in this folder"):
        find_recordings(tmp_path / "sub-01" / "anat")


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("x/sub-01/ses-b/eeg/sub-01_ses-b_task-copy_eeg.vhdr", ("01", "b")),
        ("sub-01/ses-b/eeg/recording_eeg.edf", ("01", "b")),
        ("sub-01/eeg/sub-02_eeg.edf", ("02", "")),
        ("sub-projects/a/b/c/d/monday.xdf", ("", "")),
        ("nosub-01_x.xdf", ("", "")),
    ],
)
def test_names_say_who_and_when(path: str, who: tuple[str, str]) -> None:
    assert entities(Path(path)) == who


def test_events_belong_to_the_recording_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "sub-1_events.tsv").touch()
    assert events_path(tmp_path / "sub-1_eeg.vhdr") == tmp_path / "sub-1_events.tsv"
    assert events_path(tmp_path / "sub-2_eeg.vhdr") is None
    assert events_path(tmp_path / "sub-1.vhdr") is None
