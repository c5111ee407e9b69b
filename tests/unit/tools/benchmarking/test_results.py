from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tests.bench_results import result
from tools.benchmarking.results import FILE, blocks, encode, is_result, read_result, spread

WHOLE = encode(result({"onnx-float32": 0.4, "onnx-int8": 0.3}, seed=1))


def test_what_is_written_is_read_again_from_its_file_and_its_folder(tmp_path: Path):
    (tmp_path / FILE).write_bytes(WHOLE)
    found = read_result(tmp_path)
    assert found == read_result(tmp_path / FILE)
    assert encode(found) == WHOLE
    assert is_result(tmp_path)
    assert found.rows_of("b")[0].backend == found.bundle("b").own


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"version": 1', b'"version": 2', "version 2 needs a newer eegscribe"),
        (b'"n_blocks": 20', b'"n_blocks": 19', "yardstick: wanted 19 times above 0"),
        (b'"n_blocks": 20', b'"n_blocks": "x"', "n_blocks"),
        (b'"bundle": "b"', b'"bundle": "c"', "bundle 'c' is not among the bundles"),
        (b'"kind": "eegscribe bench"', b'"kind": "other"', "wanted the result of a bench"),
        (b"{", b"[", "wanted the result of a bench"),
    ],
)
def test_what_contradicts_itself_is_refused_in_a_sentence(
    tmp_path: Path, old: bytes, new: bytes, said: str
):
    path = tmp_path / "x.json"
    path.write_bytes(WHOLE.replace(old, new, 1))
    with pytest.raises(RecordingError, match=said) as caught:
        read_result(path)
    assert str(path) in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path: Path):
    assert not is_result(tmp_path)
    with pytest.raises(RecordingError, match="cannot be read"):
        read_result(tmp_path)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=3))
def test_any_damage_gives_one_of_our_errors_or_a_result(
    tmp_path_factory: pytest.TempPathFactory, at: int, bytes_: bytes
):
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(WHOLE[:at] + bytes_ + WHOLE[at + len(bytes_) :])
    try:
        read_result(path)
    except RecordingError as error:
        assert str(path) in str(error)


def test_spread_is_of_all_calls_and_blocks_are_of_each():
    taken = np.arange(1.0, 13.0).reshape(3, 4)
    found = spread(taken)
    assert (found.count, found.min, found.max, found.mean) == (12, 1.0, 12.0, 6.5)
    assert found.median == found.p50 == 6.5
    assert found.standard_deviation == pytest.approx(np.std(np.arange(1, 13)))
    assert found.p95 <= found.p99 <= found.max
    assert blocks(taken).p50 == (2.5, 6.5, 10.5)
    assert blocks(taken).mean == (2.5, 6.5, 10.5)
