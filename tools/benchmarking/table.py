"""A bench's result as tables to read: how fast, stage by stage, how right, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.benchmarking.racing import is_disturbed
from tools.evaluation.edits import ERROR_NAMES
from tools.host import machine

if TYPE_CHECKING:
    from tools.benchmarking.results import Against, Benched, Result, Row, Spread

FASTER, SLOWER, ALIKE = "faster", "slower", "no difference shown"

WIDTH = 32
"""Of the column of names."""

CALLS = (
    f"{'':{WIDTH}}{'mean':>8}{'p50':>8}{'p95':>8}{'p99':>8}{'min':>8}{'max':>8}{'sd':>8}"
    f"{'calls/s':>9}{'x p50':>8}{'x p99':>7}{'MB':>7}"
)
STAGES = (
    f"{'':{WIDTH}}{'filter':>16}{'model':>16}{'decode':>16}{'total':>24}{'x real':>9}\n"
    f"{'':{WIDTH}}" + f"{'p50':>8}{'p99':>8}" * 4 + f"{'max':>8}{'time':>9}"
)
RIGHT = f"{'':{WIDTH}}{'agrees':>8}{'error':>9}{'95 % interval':>20}{'more':>9}{'bounds':>20}  drop"


def table(result: Result) -> list[str]:
    """Return the lines of all tables."""
    lines = [machine.show(result.machine)]
    if result.others_busy is not None:
        lines.append(f"meanwhile  other processes kept {result.others_busy:.1f} cores busy")
    if is_disturbed(result.yardstick):
        lines.append(
            "disturbed  other processes held up even a fixed piece of work: 99th percentiles are"
            " theirs"
        )
    for bundle in result.bundles:
        rows = result.rows_of(bundle.name)
        lines += ["", *_bundle(result, bundle, rows)]
    return lines


def _bundle(result: Result, bundle: Benched, rows: list[Row]) -> list[str]:
    call = f"a window every {1e3 * bundle.call_s:g} ms" if bundle.call_s else "a window a stimulus"
    ran = [row for row in rows if row.missing is None]
    lines = [
        f"{bundle.name}  {bundle.head}, {bundle.rate_hz:g} Hz, {call}; sha256 {bundle.sha256[:12]}",
        "",
        "The model alone, milliseconds a call: one thread, by turns,"
        f" {result.n_blocks} x {result.n_windows} calls; x against {bundle.own}",
        CALLS,
        *(_call(row) for row in ran),
        *(_missing(row) for row in rows if row.missing is not None),
        *_compiled(ran),
    ]
    if bundle.unit_sizes:
        lines += ["", f"The whole chain, milliseconds a decode: {_heard(bundle)}", STAGES]
        lines += [_stages(row) for row in ran if row.stage_ms]
    lines += ["", _right_title(result, bundle), RIGHT, *(_right(row, bundle) for row in ran)]
    lines += [_constant(ran[0], bundle), *_notes(ran, bundle)]
    return lines


def _call(row: Row) -> str:
    found, own = row.call_ms, row.against_own
    if found is None:
        return ""
    figures = (found.mean, found.p50, found.p95, found.p99, found.min, found.max)
    times = "".join(f"{value:8.3f}" for value in (*figures, found.standard_deviation))
    ratio = f"{own.p50:8.2f}{own.p99:7.2f}" if own else f"{'1':>8}{'1':>7}"
    size = f"{row.size_bytes / 1e6:7.2f}" if row.size_bytes is not None else f"{'-':>8}"
    return f"{_marked(row):{WIDTH}}{times}{row.calls_per_s or 0.0:9.0f}{ratio}{size}"


def _marked(row: Row) -> str:
    return f"{row.backend}{' *' if row.notes else ''}"


def _missing(row: Row) -> str:
    return f"{row.backend:{WIDTH}}  not here: {row.missing}"


def _compiled(rows: list[Row]) -> list[str]:
    """Return a line for each compiled network beside the same as it is."""
    lines = []
    for row in rows:
        found = row.against_eager
        if found is None:
            continue
        if any(note.startswith("fell back") for note in row.notes):
            said = "is eager itself: it could not be compiled"
        else:
            said = (
                f"p50 {found.p50:.2f} [{found.p50_low:.2f}, {found.p50_high:.2f}] of eager's time,"
                f" p99 {found.p99:.2f} [{found.p99_low:.2f}, {found.p99_high:.2f}]:"
                f" {verdict(found)}; ready after {row.opened_s:.1f} s"
            )
        lines.append(f"{row.backend}: {said}")
    return ["", "Compiled against eager:", *lines] if lines else []


def verdict(found: Against) -> str:
    """Return whether the median is faster or slower by bounds, or neither is shown."""
    if found.p50_high < 1.0:
        return FASTER
    return SLOWER if found.p50_low > 1.0 else ALIKE


def _heard(bundle: Benched) -> str:
    what = "trials" if bundle.unit == "selections" else "texts"
    n_units = sum(bundle.unit_sizes)
    units = "" if bundle.unit == "selections" else f" of {n_units} {bundle.unit}"
    return f"{len(bundle.unit_sizes)} {what}{units}, {_data(bundle)}"


def _data(bundle: Benched) -> str:
    return {"simulated": "SIMULATED EEG", "golden": "golden windows"}.get(bundle.data, "recorded")


def _stages(row: Row) -> str:
    stages = [row.stage_ms[name] for name in ("filter", "model", "decode", "total")]
    times = "".join(map(_pair, stages))
    return f"{row.backend:{WIDTH}}{times}{stages[-1].max:8.3f}{row.realtime or 0.0:9.0f}"


def _pair(found: Spread) -> str:
    return f"{found.p50:8.3f}{found.p99:8.3f}"


def _right_title(result: Result, bundle: Benched) -> str:
    title = f"How right, beside {bundle.own}"
    if not bundle.unit_sizes:
        return f"{title}: best symbols of golden windows alone"
    return (
        f"{title}: best symbols of the same windows; {_error_name(bundle)} of {_heard(bundle)};\n"
        f"a drop of {result.max_drop:.2%} is allowed, absolute: the upper bound of more must be"
        " below it"
    )


def _error_name(bundle: Benched) -> str:
    names = {str(unit): name for unit, name in ERROR_NAMES.items()}
    return names[bundle.unit]


def _right(row: Row, bundle: Benched) -> str:
    agrees = f"{row.agreement.estimate:8.2%}" if row.agreement else f"{'-':>8}"
    found = row.accuracy
    if found is None:
        told = "cannot tell: nothing was decoded" if row.backend != bundle.own else ""
        return f"{row.backend:{WIDTH}}{agrees}{'-':>9}{'-':>20}{'-':>9}{'-':>20}  {told}"
    low, high = found.error_95
    lines = f"{row.backend:{WIDTH}}{agrees}{found.error:9.2%}{f'[{low:.2%}, {high:.2%}]':>20}"
    if row.backend == bundle.own:
        return f"{lines}{'':9}{'':20}  itself"
    bounds = f"[{found.more_low:+.2%}, {found.more_high:+.2%}]"
    return f"{lines}{found.more:+9.2%}{bounds:>20}  {_verdict(row, bundle)}"


def _verdict(row: Row, bundle: Benched) -> str:
    found = row.accuracy
    if found is None or found.verdict != "cannot tell":
        return "BEYOND" if found and found.verdict == "beyond" else "within"
    if found.n_wanted is None:
        return "cannot tell"
    return f"cannot tell, {found.n_wanted} {bundle.unit} might"


def _constant(own: Row, bundle: Benched) -> str:
    agrees = f"{own.agreement.constant:8.2%}" if own.agreement else f"{'-':>8}"
    error = f"{bundle.constant_error:9.2%}" if bundle.constant_error is not None else f"{'-':>9}"
    return f"{'always the same (no EEG)':{WIDTH}}{agrees}{error}"


def _notes(rows: list[Row], bundle: Benched) -> list[str]:
    """Return every note once, with the rows that it is of."""
    rows_by_note: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            rows_by_note.setdefault(note, []).append(row.backend)
    told = [f"* {', '.join(names)}: {note}" for note, names in rows_by_note.items()]
    own, constant = rows[0].accuracy, bundle.constant_error
    if own is not None and constant is not None and own.error >= constant:
        told.append(
            f"{bundle.own} errs as much as always saying the same: nothing can be lost, and no drop"
            " can be told"
        )
    return ["", *told, *bundle.notes] if told or bundle.notes else []
