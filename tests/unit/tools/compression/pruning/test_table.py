"""The table says what is proven, and what is not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tools.compression.exam import Errors
from tools.compression.pruning.table import Line, PruneReport, encode, table
from tools.compression.race import Speed


def line(name: str, *, p50_high: float = 0.7, p99_high: float = 0.8) -> Line:
    return Line(
        name=name,
        n_parameters=1000,
        size_bytes=4000,
        packed_bytes=3600,
        errors=Errors(cer=0.1, cer_95=(0.08, 0.12), more=0.01, more_95=(-0.002, 0.02)),
        speed=Speed(
            p50_ms=0.5,
            p99_ms=0.6,
            ratio_p50=0.65,
            ratio_p50_high=p50_high,
            ratio_p99=0.75,
            ratio_p99_high=p99_high,
        ),
    )


def report(kept: Line, **changes: Any) -> PruneReport:
    made = PruneReport(
        bundle="small.eegb",
        sha256="b" * 64,
        parent="a" * 64,
        method="structured",
        amount="0.4",
        data="simulated",
        n_texts=165,
        sparsity=0.5,
        kept=kept.name,
        lines=(line("original"), kept),
    )
    return msgspec.structs.replace(made, **changes)


def told(found: PruneReport) -> str:
    return "\n".join(table(found))


def test_simulated_data_are_called_so_and_every_line_is_there() -> None:
    text = told(report(line("fine-tuned")))
    assert "165 held-out texts, SIMULATED" in text
    assert "+1.00% [-0.20%, +2.00%]" in text
    assert text.count("1,000") == 2


@pytest.mark.parametrize(
    ("p50_high", "p99_high", "said"),
    [
        (0.7, 0.8, "takes 65% of the original's time (95 % bound 70%; p99 75%, bound 80%)."),
        (0.7, 1.1, "that p99 is faster is not shown."),
        (1.02, 1.1, "The bundle is not faster"),
    ],
)
def test_faster_is_said_where_the_bound_is_below_one(
    p50_high: float, p99_high: float, said: str
) -> None:
    assert said in told(report(line("fine-tuned", p50_high=p50_high, p99_high=p99_high)))


@pytest.mark.parametrize(
    ("bought", "said"),
    [
        (
            (0.05, 0.02, 0.08),
            "Pruning bought CER: the same size from scratch has +5.00% [+2.00%, +8.00%] more.",
        ),
        ((0.01, -0.01, 0.03), "bought nothing but the choice of the size"),
        ((-0.02, -0.03, -0.01), "The same size from scratch is better, it has -2.00%"),
    ],
)
def test_what_pruning_bought_is_what_the_interval_shows(
    bought: tuple[float, float, float], said: str
) -> None:
    assert said in told(report(line("fine-tuned"), bought=bought))


def test_a_report_comes_back_from_its_json() -> None:
    made = report(line("fine-tuned"), notes=("so",))
    assert msgspec.json.decode(encode(made), type=PruneReport) == made


def test_what_needs_no_eeg_stands_under_the_errors() -> None:
    row = next(r for r in table(report(line("tuned"), constant=0.74)) if r.startswith("always"))
    assert row.split() == ["always", "the", "same", "-", "-", "-", "74.00%", "(no", "EEG)"]


def test_selections_stand_beside_a_guess_and_nobody_calls_them_characters() -> None:
    found = report(
        line("fine-tuned"), data="recorded", unit="selections", constant=0.9, n_symbols=32,
        bought=(0.05, 0.02, 0.08),
    )  # fmt: skip
    text = told(found)
    assert "165 trials, none learnt from, recorded" in text
    assert "CER" not in text
    assert next(row for row in table(found) if row.startswith("guessing")).split()[4] == "96.88%"
    assert "Pruning bought errors" in text
