"""What backends of one bundle write of the same recordings through the whole chain, by turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tools.benchmarking.backends import backed
from tools.benchmarking.results import spread
from tools.evaluation.passes.decoding import decode
from tools.evaluation.passes.speed import STAGES, throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime.engine import Engine
    from tools.benchmarking.backends import Opened
    from tools.benchmarking.results import Spread
    from tools.evaluation.passes.reel import Reel
    from tools.evaluation.passes.speed import Speed


@dataclass(slots=True)
class Written:
    """What one backend wrote of each text or trial, and how long the chain took."""

    said: list[str] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)

    @property
    def stage_ms(self) -> dict[str, Spread]:
        """How long the stages of a decode took; ``total`` is their sum, decode by decode."""
        times = np.concatenate([speed.times_ms for speed in self.speeds])  # (n, n_stages)
        if not len(times):
            return {}
        stages = {name: times[:, k] for k, name in enumerate(STAGES)}
        return {name: spread(v) for name, v in {**stages, "total": times.sum(axis=1)}.items()}

    @property
    def realtime(self) -> float:
        """How many times faster than the recordings the chain went."""
        return throughput(self.speeds)["realtime_factor"]


def listen(
    engine: Engine,
    backends: Mapping[str, Opened],
    reels: Sequence[Reel],
    *,
    trials: frozenset[int] | None,
    on_done: Callable[[], None],
) -> dict[str, Written]:
    """Return what each backend wrote of ``reels``; the order is turned for every recording."""
    found = {name: Written() for name in backends}
    for number, reel in enumerate(reels):
        for name in list(backends) if number % 2 == 0 else reversed(list(backends)):
            decoded = decode(backed(engine, backends[name]), reel, trials=trials)
            found[name].said += [said.text for said in decoded.said]
            found[name].speeds.append(decoded.speed)
            on_done()
    return found
