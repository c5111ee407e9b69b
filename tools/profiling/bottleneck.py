"""The one thing that is worth making faster, and what that could bring at the most.

What can be won is bounded by Amdahl's law: a part that takes a share s of the whole, made to take
no time at all, leaves 1 - s of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.spec import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 1e6
"""Stands for no bound, where a part is all there is."""

ADVICE = {
    "filter": "fewer bands or sections, or larger hops, make filtering cheaper",
    "decode": "greedy search, a narrower beam or a smaller language model make decoding cheaper",
    "publish": "fewer messages (publish.every_decode = false) make publishing cheaper",
    "other": "larger hops mean less bookkeeping",
}


class Bottleneck(Settings, frozen=True, kw_only=True):
    """The slowest stage, and of the model the slowest layer; shares are of 1.

    ``slowest_stage`` is that of the longest hops, which need not be the same. ``most`` is how many
    times as fast a hop can get if the stage took nothing, ``most_layer`` if that layer did. Without
    a recording the model is all there is.
    """

    stage: str
    share: float
    most: float
    layer: str
    layer_share: float
    most_layer: float
    slowest_stage: str | None
    sentence: str


def find_bottleneck(
    stage_ms: Mapping[str, float],
    layer_us: Mapping[str, float],
    *,
    slowest_ms: Mapping[str, float] | None = None,
) -> Bottleneck:
    """Return it.

    Args:
        stage_ms: of a typical hop; empty without a recording.
        layer_us: of a call of the model, or of all its calls in a hop.
        slowest_ms: of the longest hops.
    """
    whole = sum(stage_ms.values())
    stage = max(stage_ms, key=lambda name: stage_ms[name]) if whole else "model"
    share = stage_ms[stage] / whole if whole else 1.0
    model = stage_ms.get("model", 0.0) / whole if whole else 1.0
    layer = max(layer_us, key=lambda name: layer_us[name])
    layer_share = layer_us[layer] / (sum(layer_us.values()) or 1.0)
    return Bottleneck(
        stage=stage,
        share=share,
        most=speed_up(share),
        layer=layer,
        layer_share=layer_share,
        most_layer=speed_up(model * layer_share),
        slowest_stage=max(slowest_ms, key=lambda name: slowest_ms[name]) if slowest_ms else None,
        sentence=_sentence(stage_ms, whole, stage, layer, layer_share)
        + (_tail(slowest_ms) if slowest_ms else ""),
    )


def speed_up(share: float) -> float:
    """Return how many times as fast the whole gets when a share of it takes no time."""
    return min(LARGEST, 1.0 / max(1.0 - share, 1.0 / LARGEST))


def _sentence(
    stage_ms: Mapping[str, float], whole: float, stage: str, layer: str, layer_share: float
) -> str:
    if not whole:
        return (
            f"{layer} takes {layer_share:.0%} of a call of the model; without it a call could be"
            f" {_times(layer_share)} at most"
        )
    share, model = stage_ms[stage] / whole, stage_ms.get("model", 0.0) / whole
    told = f"{stage} takes {share:.0%} of a hop ({stage_ms[stage]:.3g} of {whole:.3g} ms)"
    if stage != "model":
        return (
            f"{told}, the model {model:.0%}; a {stage} that took no time would make a hop"
            f" {_times(share)}, a faster model at most {_times(model)}; {ADVICE[stage]}"
        )
    return (
        f"{told}, of it {layer} {layer_share:.0%}; without that layer a hop could be"
        f" {_times(model * layer_share)} at most, without the model {_times(share)}"
    )


def _tail(slowest_ms: Mapping[str, float]) -> str:
    stage = max(slowest_ms, key=lambda name: slowest_ms[name])
    whole = sum(slowest_ms.values())
    return (
        f"; in the slowest 1 % of hops ({whole:.3g} ms) {stage} takes"
        f" {slowest_ms[stage] / whole:.0%}"
    )


def _times(share: float) -> str:
    bound = speed_up(share)
    return "any number of times as fast" if bound >= LARGEST else f"{bound:.2g} times as fast"
