import pytest
from msgspec.structs import replace

from tests.bench_results import SIZES, TEXTS, benched, result
from tools.benchmarking.comparison import compare
from tools.benchmarking.comparison_table import lines, told

NAMES = {"onnx-float32": 0.4, "onnx-float16": 0.45, "onnx-int8": 0.3}


def changes(found: object) -> dict[str, list[str]]:
    return {
        pair.backend: [one.change for one in pair.timings]
        for pair in found.pairs  # type: ignore[attr-defined]
    }


def test_noise_is_not_marked():
    first, n_marked = result(NAMES, seed=1), 0
    for seed in range(2, 8):
        found = compare(first, result(NAMES, seed=seed))
        n_marked += sum(c != "within noise" for both in changes(found).values() for c in both)
    assert n_marked <= 1  # of 36; the level is 5 % for each comparison as a whole


def test_a_true_difference_of_a_tenth_is_marked_and_no_other():
    faster = NAMES | {"onnx-int8": 0.27}
    found = compare(result(NAMES, seed=1), result(faster, seed=2))
    assert changes(found) == {
        "onnx-float32": ["within noise"] * 2,
        "onnx-float16": ["within noise"] * 2,
        "onnx-int8": ["faster"] * 2,
    }
    back = compare(result(faster, seed=2), result(NAMES, seed=1))
    assert changes(back)["onnx-int8"] == ["slower"] * 2
    p50 = next(pair for pair in found.pairs if pair.backend == "onnx-int8").timings[0]
    assert p50.low < p50.ratio < p50.high < 1.0
    assert p50.ratio == pytest.approx(0.9, abs=0.04)
    assert "FASTER" in "\n".join(lines(found, earlier="a", later="b"))


def test_a_machine_that_is_slower_as_a_whole_marks_no_row():
    found = compare(result(NAMES, seed=1), result(NAMES, seed=2, machine=1.2))
    assert all(set(both) == {"within noise"} for both in changes(found).values())
    said = "\n".join(lines(found, earlier="a", later="b"))
    assert "the machine itself was slower" in said


def test_other_machines_libraries_bundles_and_data_are_said_first():
    one = result(NAMES, seed=1)
    machine = one.machine | {"cpu": "z", "libraries": {"numpy": "2.5", "torch": "3"}}
    other = benched(sha256="2" * 64, unit_sizes=tuple((SIZES + 1).tolist()))
    found = compare(one, result(NAMES, seed=2, described=machine, bundle=other))
    assert found.remarks == (
        "another machine: cpu 'a', then 'z'",
        "another library: numpy 2.4, then 2.5",
        "another library: torch none, then 3",
        "another bundle: b 111111111111, then 222222222222",
        "b: heard other EEG, so its errors are not compared",
    )
    assert all(pair.errors is None for pair in found.pairs)
    assert lines(found, earlier="a", later="b")[1].strip() == found.remarks[0]


def test_rows_of_one_side_alone_are_told():
    fewer = {name: ms for name, ms in NAMES.items() if name != "onnx-int8"}
    found = compare(result(NAMES, seed=1), result(fewer | {"torch-eager": 1.0}, seed=2))
    assert (found.only_earlier, found.only_later) == (("b onnx-int8",), ("b torch-eager",))
    said = lines(found, earlier="a", later="b")
    assert said[-2:] == ["only in a: b onnx-int8", "only in b: b torch-eager"]


def test_a_bundle_of_another_name_is_known_by_its_digest_and_a_strange_one_is_not():
    one = result(NAMES, seed=1)
    renamed = result(NAMES, seed=2, bundle=benched(name="c"))
    assert {pair.bundle for pair in compare(one, renamed).pairs} == {"c"}
    strange = compare(one, result(NAMES, seed=2, bundle=benched(name="c", sha256="3" * 64)))
    assert strange.pairs == ()
    assert "no backend" in "\n".join(lines(strange, earlier="a", later="b"))


def test_where_even_the_yardstick_was_held_up_a_tail_is_nobodys():
    one, other = (result(NAMES, seed=seed, machine=1.0) for seed in (1, 2))
    held_up = tuple(80.0 * p50 for p50 in other.yardstick.p50)
    yardstick = replace(other.yardstick, p99=held_up)
    slow = result({name: 2 * ms for name, ms in NAMES.items()}, seed=2)
    found = compare(one, replace(slow, yardstick=yardstick))
    assert all(both == ["slower", "disturbed"] for both in changes(found).values())
    assert lines(found, earlier="a", later="b")[-1].startswith("disturbed: other processes")


def test_less_than_processes_differ_by_chance_is_no_change():
    found = compare(*(result(NAMES, seed=1, n_blocks=20) for _ in range(2)))
    assert all(timing.ratio == 1.0 for pair in found.pairs for timing in pair.timings)
    slower = {name: 1.04 * ms for name, ms in NAMES.items()}
    found = compare(result(NAMES, seed=1), result(slower, seed=1))  # the very same noise
    assert all(set(both) == {"within noise"} for both in changes(found).values())


def test_few_blocks_mark_nothing():
    slow = {name: 2 * ms for name, ms in NAMES.items()}
    found = compare(result(NAMES, seed=1, n_blocks=3), result(slow, seed=2, n_blocks=3))
    assert all(set(both) == {"too few blocks"} for both in changes(found).values())


def test_more_errors_on_the_same_texts_are_marked():
    worse = SIZES * 0 + 1
    found = compare(result(NAMES, seed=1), result(NAMES, seed=2, wrong={"onnx-int8": worse}))
    errors = {pair.backend: pair.errors for pair in found.pairs}
    assert errors["onnx-float16"] is not None
    assert errors["onnx-float16"].change == "within noise"
    assert errors["onnx-int8"] is not None
    assert errors["onnx-int8"].change == "errs more"
    assert errors["onnx-int8"].more == pytest.approx(len(TEXTS) / SIZES.sum())
    assert "b onnx-int8 errs more: 0.00%" in "\n".join(lines(found, earlier="a", later="b"))
    (row,) = [
        p for p in told(found, earlier="a", later="b")["pairs"] if p["backend"] == "onnx-int8"
    ]
    assert row["errors"]["change"] == "errs more"
    assert [one["figure"] for one in row["times"]] == ["p50", "p99"]
