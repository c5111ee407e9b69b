"""Truth from a recording's markers, and how well the messages agree with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.markers import TRIAL_END, TRIAL_START, split_marker
from pipeline.selection import wolpaw_bits
from pipeline.tail_text import read_tail
from pipeline.values import Event, Output, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.values import Marker


@dataclass(slots=True)
class Trial:
    """One trial's truth and what became of it; samples as indices."""

    number: int
    start: int
    stop: int | None = None
    label: str | None = None
    symbol: str | None = None
    decided_at: int | None = None


@dataclass(slots=True)
class Truth:
    """Collects the truth while a recording passes by; decoding never sees it."""

    names: Mapping[str, str]
    trials: list[Trial] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)

    def mark(self, marker: Marker) -> None:
        """Take any marker of the recording, in order."""
        text = self.names.get(marker.text, marker.text)
        name, symbol = split_marker(text)
        if text == TRIAL_START:
            self.trials.append(Trial(len(self.trials), marker.index))
        elif text == TRIAL_END and self.trials:
            self.trials[-1].stop = marker.index
        elif name == "label" and self.trials:
            self.trials[-1].label = symbol
        elif name == "text" and symbol != "end":
            self.spans.append(symbol)

    def decided(self, output: Output) -> None:
        """Take a final or an abstention: it belongs to the last trial begun before its samples."""
        if isinstance(output, Text) and output.kind == "final":
            self._assign(output.samples[0], output.samples[1], "".join(output.symbols))
        elif isinstance(output, Event) and output.kind == "abstained" and "trial" in output.figures:
            trial = self.trials[int(output.figures["trial"] or 0)]
            trial.decided_at = output.sample

    def _assign(self, first: int, stop: int, symbol: str) -> None:
        begun = [trial for trial in self.trials if trial.start <= first]
        if begun:
            begun[-1].symbol, begun[-1].decided_at = symbol, stop


def score(
    truth: Truth,
    transcript: str,
    *,
    trials: frozenset[int] | None,
    n_symbols: int,
    rate_hz: float,
) -> dict[str, Any]:
    """Return the summary's scores; reference and rates are None where the recording has no truth.

    An abstention is a wrong symbol, and is counted apart. The information transfer rate is
    Wolpaw's bits over the time from each trial's start to its decision.
    """
    chosen = [
        t for t in truth.trials if t.label is not None and (trials is None or t.number in trials)
    ]
    result: dict[str, Any] = {
        "transcript": transcript,
        "reference": None,
        "cer": None,
        "wer": None,
        "symbols": None,
        "itr_bits_per_min": None,
    }
    if chosen:
        n_correct = sum(t.symbol == t.label for t in chosen)
        n_abstained = sum(t.symbol is None for t in chosen)
        result["symbols"] = {"correct": n_correct, "abstained": n_abstained, "total": len(chosen)}
        spent_s = sum((t.decided_at or t.stop or t.start) - t.start for t in chosen) / rate_hz
        if spent_s > 0:
            bits = wolpaw_bits(n_symbols, n_correct / len(chosen)) * len(chosen)
            result["itr_bits_per_min"] = 60.0 * bits / spent_s
        reference = read_tail(t.label or "" for t in chosen)[1]
    elif truth.spans:
        reference = " ".join(truth.spans)
    else:
        return result
    result["reference"] = reference
    if reference:
        import jiwer  # offline only

        result["cer"] = float(jiwer.cer(reference, transcript))
        result["wer"] = float(jiwer.wer(reference, transcript)) if reference.split() else None
    return result
