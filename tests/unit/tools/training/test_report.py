from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tools.training.report import (
    Baseline,
    Point,
    Reading,
    Report,
    Silence,
    report_path,
    table,
    write_report,
)

if TYPE_CHECKING:
    from pathlib import Path


def reading(cer: float) -> Reading:
    return Reading(
        cer=cer, cer_95=(cer / 2, cer * 2), substitutions=1, deletions=2, insertions=3,
        characters=100, texts=9, insertion_rate=0.03, wrong_finals=0.04, n_final_symbols=90,
        repeated_4_words=0.0, repeated_8_characters=0.015, flicker=0.5, lag_p50_s=0.81,
    )  # fmt: skip


def report(control: float) -> Report:
    return Report(
        bundle="b.eegb", sha256="00", family="gru-ctc", data="simulated", control_is="no signal",
        training_min=12.0, n_steps=2000, readings={"decoder": reading(0.02)},
        control=reading(control), baseline=Baseline(phrase="hello", cer=0.75, cer_95=(0.7, 0.8)),
        truth_repeated=(0.0, 0.001), curve=(Point(minutes=5.0, cer=0.2, greedy_cer=0.3, texts=9),),
        silence={"idle": Silence(minutes=10.0, finals_per_min=0.2, symbols_per_min=0.4)},
    )  # fmt: skip


def test_control_and_chance_stand_beside_every_accuracy_and_simulated_is_said() -> None:
    lines = table(report(0.9))
    said = "\n".join(lines)
    assert said.count("SIMULATED") == 3
    for wanted in ("2.0%", "1.0% to 4.0%", "control: no signal", "90.0%", "75.0%", "'hello'"):
        assert wanted in said
    assert "no better than chance" in said
    assert max(map(len, lines)) <= 110
    (point,) = (line for line in lines if line.startswith("5.00"))
    assert "75.0%" in point


def test_a_control_that_reads_is_shouted_about() -> None:
    assert not report(0.5).is_control_clean
    assert "BETTER THAN chance" in "\n".join(table(report(0.5)))


def test_a_report_lies_beside_its_bundle_and_reads_back(tmp_path: Path) -> None:
    path = report_path(tmp_path / "b.eegb")
    assert path.name == "b.report.json"
    write_report(path, report(0.9))
    assert msgspec.json.decode(path.read_bytes(), type=Report) == report(0.9)
    assert [p.name for p in tmp_path.iterdir()] == ["b.report.json"]
