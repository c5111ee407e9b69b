"""What a bundle's manifest says of how well it reads, always beside what chance or no signal gives.

Three writers leave scores in a manifest: the evaluation with its verdict, a training (held-out
texts, and the same sessions without their signal), a calibration or a classifier (held-out trials).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.spec import Settings
from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.verdict import KEY
from tools.recordings.digests import SIMULATED

if TYPE_CHECKING:
    from models.manifest import Manifest


class Accuracy(Settings, frozen=True, kw_only=True):
    """A score as its manifest has it: ``measure`` names it, ``beside`` is what it has to beat."""

    measure: str
    value: float
    interval_95: tuple[float, float] | None
    beside: float | None
    beside_is: str
    is_simulated: bool
    verdict: str

    def told(self) -> str:
        """Return it in words."""
        text = f"{self.measure} {self.value:.1%}"
        if self.interval_95 is not None:
            text += " [{:.1%}, {:.1%}]".format(*self.interval_95)
        if self.beside is not None:
            text += f"; {self.beside_is} {self.beside:.1%}"
        return text + ("; SIMULATED" if self.is_simulated else "") + f"; {self.verdict}"


def accuracy_of(manifest: Manifest) -> Accuracy | None:
    """Return what the manifest says; None where nobody measured, or not in a way known here."""
    scores = manifest.evaluation.scores
    try:
        for key, read in ((KEY, _evaluated), ("decoder", _trained), ("accuracy", _trials)):
            if key in scores:
                measure, value, interval, beside, beside_is = read(scores)
                return Accuracy(
                    measure=measure,
                    value=float(value),
                    interval_95=None
                    if interval is None
                    else (float(interval[0]), float(interval[1])),
                    beside=None if beside is None else float(beside),
                    beside_is=beside_is,
                    is_simulated=SIMULATED in manifest.provenance.data,
                    verdict=manifest.evaluation.verdict,
                )
    except (KeyError, TypeError, ValueError, IndexError):
        return None  # another version's words; they were never more than a note
    return None


Found = tuple[str, Any, Any, Any, str]


def _evaluated(scores: dict[str, Any]) -> Found:
    found = scores[KEY]
    controls = found["controls"]
    others = {**controls["inputs"], **controls["baselines"]}
    best = min(others, key=lambda name: others[name]["error"], default=None)
    return (
        ERROR_NAMES[found["primary"]["error"]],
        found["primary"]["estimate"],
        found["interval"].get("primary"),
        None if best is None else others[best]["error"],
        f"best control ({best})",
    )


def _trained(scores: dict[str, Any]) -> Found:
    reading, control = scores["decoder"], scores["control"]
    return "CER", reading["cer"], reading["cer_95"], control["cer"], "without its signal"


def _trials(scores: dict[str, Any]) -> Found:
    return "right", scores["accuracy"], scores.get("interval_95"), scores.get("chance"), "chance"
