"""The tables say what was found, and what was not."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.tools.compression.optimizing.test_choice import figures, loss, speed, walk
from tools.compression.optimizing.report import (
    EAGER,
    RUNTIME,
    SCRATCH,
    Confirmation,
    OptimizeReport,
    Row,
    encode,
    table,
    walk_lines,
)
from tools.compression.optimizing.walk import Step, Walk
from tools.host.footprint import Footprint


def row(name: str, size: int, ratio: float) -> Row:
    return Row(
        name=name,
        size_bytes=size,
        bundle_bytes=2 * size,
        memory=Footprint(imports_bytes=20, open_bytes=90, peak_bytes=round(1e8 * ratio)),
        speed=speed(ratio),
    )


ROWS = (
    row(EAGER, 8000, 1.0),
    row(RUNTIME, 8000, 0.5),
    row("+ pruned", 4000, 0.25),
    row("+ int8", 800, 0.125),
    row(SCRATCH, 800, 0.125),
)


def report(*, refused: str | None = None, **changes: object) -> OptimizeReport:
    given = OptimizeReport(
        bundle="small.eegb",
        parent="0" * 64,
        data="simulated",
        unit="characters",
        max_drop=0.02,
        n_search=80,
        n_search_units=3500,
        walks=(walk(0.5, ("pruned", figures(0.001, 0.5, 4000), None)),),
        front=("hidden=0.5 pruned",),
        picked="hidden=0.5 pruned+int8",
        confirmation=Confirmation(
            n_texts=81, error=0.031, error_before=0.03, loss=loss(0.001), speed=speed(0.25)
        ),
        rows=ROWS,
        refused=refused,
    )
    return msgspec.structs.replace(given, **changes)


def test_each_step_has_its_share_of_the_time_that_was_saved() -> None:
    lines = table(report())
    rows = [line for line in lines if line.startswith(("float32", "+", SCRATCH))]
    first = [line.split("x")[-1].split()[0] for line in rows]
    assert first == ["-", "33%", "33%", "33%", "-"]
    last = next(line for line in lines if line.startswith("+ int8")).split()
    assert last[3] == "10.0x"
    assert "8.0x" in last
    assert "SIMULATED" in lines[0]


def test_what_is_confirmed_is_told_with_its_bound_and_what_is_not_with_its_reason() -> None:
    told = "\n".join(table(report()))
    assert "confirmed on 81 other texts or trials, SIMULATED, once: error rate 3.10%" in told
    assert "at most +0.10%, of 5000 characters: below 2.00%" in told
    told = "\n".join(table(report(refused="too slow")))
    assert "NOT confirmed (too slow) on 81 other texts" in told


@pytest.mark.parametrize(
    ("bought", "said"),
    [
        ((0.05, 0.02, 0.08), "Pruning bought CER"),
        ((0.0, -0.01, 0.01), "pruning bought nothing but the choice of the size"),
    ],
)
def test_the_same_size_from_scratch_is_told(bought: tuple[float, float, float], said: str) -> None:
    assert said in "\n".join(table(report(bought=bought)))


def test_without_a_pick_there_is_no_table_of_forms() -> None:
    found = report(rows=(), confirmation=None, picked=None, refused="no step was kept")
    assert len(table(found)) == 1


def test_a_walk_tells_every_step() -> None:
    unmade = Step(name="float16", claim="smaller", refused="cannot be made: no weights")
    slow = Step(name="int8", claim="faster", figures=figures(0.0, 1.2, 900), refused="p99 1.20")
    found = walk_lines(Walk(amounts={}, steps=(slow, unmade)), "characters")
    assert found[0] == "nothing removed"
    assert found[1].endswith("refused: p99 1.20")
    assert found[2] == "  float16      refused: cannot be made: no weights"


def test_a_report_is_read_back_as_it_was() -> None:
    found = report(bought=(0.0, -0.1, 0.1))
    assert msgspec.json.decode(encode(found), type=OptimizeReport) == found
