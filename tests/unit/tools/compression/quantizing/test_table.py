from msgspec.structs import replace

from tools.compression.exam import Errors
from tools.compression.quantizing.table import Line, QuantizeReport, mixed_said, table
from tools.compression.race import Speed

ERRORS = Errors(cer=0.02, cer_95=(0.01, 0.03), more=0.001, more_95=(-0.002, 0.004))


def speed(*, p99_high: float) -> Speed:
    return Speed(
        p50_ms=0.1, p99_ms=0.2, ratio_p50=0.5, ratio_p50_high=0.6, ratio_p99=0.8,
        ratio_p99_high=p99_high,
    )  # fmt: skip


def report(*, p99_high: float) -> QuantizeReport:
    def line(name: str, size: int | None) -> Line:
        errors = None if size is None else ERRORS
        return Line(
            name=name, size_bytes=size, packed_bytes=size, errors=errors,
            speed=speed(p99_high=p99_high),
        )  # fmt: skip

    return QuantizeReport(
        bundle="b.eegb", parent="0" * 64, method="static", data="simulated", unit="characters",
        n_texts=12, kept="int8", bits={"model.onnx/gru.l0": 8},
        lines=(line("torch", None), line("float32", 4000), line("int8", 1000)),
        notes=("ranges of one.xdf",),
    )  # fmt: skip


def test_the_report_says_so_where_it_is_not_faster():
    assert report(p99_high=0.9).is_faster
    slow = report(p99_high=1.01)
    assert not slow.is_faster
    assert "not shown to be faster" in slow.speed_said()


def test_the_table_has_a_row_for_each_form_and_says_that_data_is_simulated():
    lines = table(report(p99_high=0.9), original="float32")
    assert "SIMULATED" in lines[0]
    rows = {line.split()[0]: line for line in lines[3:6]}
    assert "25.0%" in rows["int8"]
    assert "+0.10% [-0.20%, +0.40%]" in rows["int8"]
    assert " - " in rows["torch"]
    assert lines[-1] == "ranges of one.xdf"


def test_what_needs_no_eeg_stands_under_the_errors_and_trials_are_no_texts():
    found = replace(report(p99_high=0.9), constant=0.96875, unit="selections", data="recorded")
    lines = table(found, original="float32")
    assert lines[0].startswith("static; 12 trials, recorded; errors in selections;")
    assert lines[6].split() == ["always", "the", "same", "-", "-", "-", "96.88%", "(no", "EEG)"]


def test_a_table_without_truth_tells_of_no_texts():
    found = replace(report(p99_high=0.9), n_texts=0, data="golden")
    assert table(found, original="float32")[0] == "static; golden; one thread, by turns"


def test_a_mixture_is_compared_with_eight_bits():
    eight, mixed = report(p99_high=0.9).lines[1:]
    said = mixed_said(eight, mixed, speed(p99_high=1.02), most=0.75)
    assert "25% of the file at 8 bits (wanted at most 75%: held)" in said
    assert "bound 1.02 (no worse is below 1.05: held)" in said
    said = mixed_said(mixed, eight, speed(p99_high=1.06), most=0.75)
    assert said.count("NOT held") == 2
