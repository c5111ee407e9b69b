"""The front, and what the limits pick of it."""

from __future__ import annotations

import pytest

from tools.compression.guard import Loss
from tools.compression.optimizing.choice import NothingFitsError, front, kept_of, pick
from tools.compression.optimizing.walk import Figures, Step, StepName, Walk
from tools.compression.race import Speed


def speed(ratio: float) -> Speed:
    return Speed(
        p50_ms=ratio,
        p99_ms=ratio,
        ratio_p50=ratio,
        ratio_p50_high=ratio,
        ratio_p99=ratio,
        ratio_p99_high=ratio,
    )


def loss(more: float, *, most: float = 0.02) -> Loss:
    is_held = more < most
    return Loss(
        more=more,
        low=more,
        bound=more,
        most=most,
        n_units=5000,
        n_texts=100,
        verdict="held" if is_held else "lost",
        original=0.03,
        constant=0.7,
    )


def figures(more: float, ratio: float, size: int, *, beside: float = 0.9) -> Figures:
    return Figures(
        size_bytes=size,
        packed_bytes=size,
        loss=loss(more),
        speed=speed(ratio),
        beside=speed(beside),
    )


def walk(share: float, *steps: tuple[StepName, Figures, str | None]) -> Walk:
    return Walk(
        amounts={"hidden": share} if share else {},
        steps=tuple(
            Step(name=name, claim="faster", figures=found, refused=refused)
            for name, found, refused in steps
        ),
    )


WALKS = [
    walk(0.0, ("int8", figures(0.0, 0.8, 250), None), ("mixed", figures(0.001, 0.81, 200), None)),
    walk(0.5, ("pruned", figures(0.005, 0.5, 400), None), ("int8", figures(0.006, 0.4, 100), None)),
    walk(0.6, ("pruned", figures(0.012, 0.39, 300), None), ("int8", figures(0.05, 0.2, 80), "no")),
    walk(0.7, ("pruned", figures(0.015, 0.6, 500), None)),
]


def test_the_front_holds_what_nothing_beats() -> None:
    names = [one.name for one in front(kept_of(WALKS))]
    assert names == [
        "whole int8",
        "whole int8+mixed",
        "hidden=0.5 pruned",
        "hidden=0.5 pruned+int8",
        "hidden=0.6 pruned",
    ]


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        # 0.39 and 0.40 of the time are the same: the smaller file.
        ({"prefer": "speed"}, "hidden=0.5 pruned+int8"),
        ({"prefer": "size"}, "hidden=0.5 pruned+int8"),
        ({"prefer": "errors"}, "whole int8"),
        ({"prefer": "errors", "p99_ms": 0.6}, "hidden=0.5 pruned"),
        ({"prefer": "errors", "most_bytes": 220}, "whole int8+mixed"),
    ],
)
def test_limits_pick(limits: dict[str, object], name: str) -> None:
    given = {"p99_ms": None, "most_bytes": None, **limits}
    assert pick(kept_of(WALKS), **given).name == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"p99_ms": 0.1}, "--p99: got 0.1 ms, the fastest that was kept takes 0.39"),
        ({"most_bytes": 50}, "--size: got 0.05 kB, the smallest that was kept has 0"),
    ],
)
def test_limits_that_nothing_meets_say_what_came_nearest(
    limits: dict[str, object], said: str
) -> None:
    given = {"p99_ms": None, "most_bytes": None, "prefer": "speed", **limits}
    with pytest.raises(NothingFitsError, match=said):
        pick(kept_of(WALKS), **given)  # type: ignore[arg-type]
    with pytest.raises(NothingFitsError, match="no step was kept"):
        pick([], p99_ms=None, most_bytes=None, prefer="speed")
