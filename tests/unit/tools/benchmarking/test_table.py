import msgspec
import pytest

from tests.bench_results import MISSING, SIZES, benched, result
from tools.benchmarking.results import Against, Result
from tools.benchmarking.table import table, verdict

MEDIANS = {"onnx-float32": 0.4, "onnx-int8": 0.3, "torch-compiled-default": 0.5}
SPEED, CHAIN, RIGHT = "The model alone", "The whole chain", "How right"


def row(lines: list[str], name: str, *, under: str) -> str:
    start = next(k for k, line in enumerate(lines) if line.startswith(under))
    return next(line for line in lines[start:] if line.startswith(name))


def printed(found: Result) -> list[str]:
    return [line for text in table(found) for line in text.splitlines()]


def changed(found: Result, backend: str, **changes: object) -> Result:
    rows = tuple(
        msgspec.structs.replace(one, **changes) if one.backend == backend else one
        for one in found.rows
    )
    return msgspec.structs.replace(found, rows=rows)


def against(low: float, high: float) -> Against:
    middle = (low + high) / 2
    return Against(
        p50=middle, p50_low=low, p50_high=high, p99=middle, p99_low=low, p99_high=high
    )  # fmt: skip


def test_every_backend_has_a_row_and_one_that_is_missing_says_why():
    lines = printed(result(MEDIANS, seed=1))
    for name in MEDIANS:
        for under in (SPEED, CHAIN, RIGHT):
            assert row(lines, name, under=under).split()[0] == name
    assert row(lines, "onnx-cuda", under=SPEED).endswith(f"not here: {MISSING}")


def test_figures_stand_under_their_names():
    found = result(MEDIANS, seed=1)
    lines = printed(found)
    header = next(line for line in lines if line.split()[:2] == ["mean", "p50"]).split()
    own = found.rows[0].call_ms
    assert own is not None
    cells = dict(
        zip(
            ["mean", "p50", "p95", "p99", "min", "max", "sd"],
            row(lines, "onnx-float32", under=SPEED).split()[1:8],
            strict=True,
        )
    )
    assert header[:7] == list(cells)
    assert cells["p99"] == f"{own.p99:.3f}"
    assert cells["sd"] == f"{own.standard_deviation:.3f}"


def test_a_drop_is_marked_and_chance_and_simulation_are_said():
    lines = printed(result(MEDIANS, seed=1, wrong={"onnx-int8": SIZES // 4}))
    assert row(lines, "onnx-int8", under=RIGHT).endswith("BEYOND")
    assert row(lines, "always the same (no EEG)", under=RIGHT).split()[-2:] == ["80.00%", "80.00%"]
    assert "SIMULATED" in row(lines, RIGHT, under=RIGHT)


def test_a_bundle_that_reads_nothing_is_said_to():
    deaf = benched(constant_error=0.0)
    said = "\n".join(printed(result(MEDIANS, seed=1, bundle=deaf)))
    assert "onnx-float32 errs as much as always saying the same" in said
    assert "errs as much" not in "\n".join(printed(result(MEDIANS, seed=1)))


def test_a_machine_that_others_keep_busy_is_said_to_be_disturbed():
    found = result(MEDIANS, seed=1)
    assert not any(line.startswith("disturbed") for line in printed(found))
    held_up = msgspec.structs.replace(found.yardstick, p99=(4.0,) * 20)
    lines = printed(msgspec.structs.replace(found, yardstick=held_up))
    assert any(line.startswith("disturbed") for line in lines)


def test_without_texts_nobody_can_tell():
    silent = benched(data="golden", unit_sizes=(), constant_error=None)
    found = result(MEDIANS, seed=1, bundle=silent)
    for name in MEDIANS:
        found = changed(found, name, accuracy=None, stage_ms={})
    lines = printed(found)
    assert not any(line.startswith(CHAIN) for line in lines)
    assert "cannot tell: nothing was decoded" in row(lines, "onnx-int8", under=RIGHT)


def test_compiled_stands_beside_eager():
    name = "torch-compiled-default"
    found = changed(result(MEDIANS, seed=1), name, against_eager=against(0.7, 0.9))
    said = row(printed(found), f"{name}:", under="Compiled against eager")
    assert "p50 0.80 [0.70, 0.90] of eager's time" in said
    assert ": faster; ready after" in said
    fell = changed(found, name, notes=("fell back to eager: no compiler",))
    lines = printed(fell)
    assert "is eager itself" in row(lines, f"{name}:", under="Compiled against eager")
    assert sum("fell back to eager: no compiler" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.8, 0.99, "faster"), (1.01, 1.2, "slower"), (0.9, 1.1, "no difference shown")],
)
def test_faster_and_slower_are_said_by_bounds(low: float, high: float, said: str):
    assert verdict(against(low, high)) == said
