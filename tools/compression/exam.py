"""How wrong bundles are beside the original: all hear the same, and are compared text by text."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.spec import Settings
from runtime.engine import open_engine
from tools.compression.guard import UNSEEN_BOTH_WAYS, judge_loss, unseen_more
from tools.console.progress import progress
from tools.evaluation.baselines import best_constant
from tools.evaluation.edits import edits, sizes
from tools.evaluation.resampling import Interval, Resampling
from tools.training.listening import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from runtime.engine import Engine
    from tools.compression.guard import Loss
    from tools.evaluation.edits import Unit
    from tools.evaluation.resampling import Table
    from tools.training.evaluation import HeldOut

    Read = Callable[[Engine], list[str]]
    """What a bundle writes, one for each truth."""


class Errors(Settings, frozen=True, kw_only=True):
    """An error rate, and how much more it is than the original's; 95 % over texts."""

    cer: float
    cer_95: tuple[float, float]
    more: float
    more_95: tuple[float, float]


CONSTANT = "always the same"
"""The row of a table that needs no EEG."""


class Exam:
    """What bundles write of the same texts or trials, by name, the original first.

    A draw of the bootstrap takes whole texts (trials where ``unit`` is selections) and whole
    people, and the same ones of all bundles.
    """

    def __init__(
        self,
        truths: Sequence[str],
        read: Read,
        *,
        unit: Unit = "characters",
        people: Sequence[str] | None = None,
    ) -> None:
        self.unit = unit
        self._truths, self._read = list(truths), read
        drawn = range(len(truths)) if unit == "selections" else truths
        self._drawn = Resampling(list(drawn), people or [""] * len(truths))
        self._sizes = sizes(self._truths, unit)
        self._tables: dict[str, Table] = {}

    @property
    def names(self) -> list[str]:
        """Who was heard, the original first."""
        return list(self._tables)

    @property
    def n_texts(self) -> int:
        """How many texts or trials there are."""
        return len(self._truths)

    @property
    def n_units(self) -> int:
        """How many characters, words or selections they are."""
        return int(self._sizes.sum())

    def hear(self, paths: Mapping[str, Path]) -> None:
        """Let bundles hear what there is.

        Raises:
            BundleError: one cannot be opened.
        """
        with progress("scoring", total=len(paths)) as bar:
            for number, (name, path) in enumerate(paths.items(), start=1):
                wrong = edits(self._truths, self._read(open_engine(path)), self.unit)
                self._tables[name] = self._drawn.table(wrong, self._sizes)
                bar(number)

    def errors(self, name: str) -> Errors:
        """Return the errors of a bundle, and how many more they are than the original's."""
        own = self._drawn.interval(self._tables[name])
        more = self.more(name, self._original)
        return Errors(
            cer=own.estimate,
            cer_95=(own.low, own.high),
            more=more.estimate,
            more_95=(more.low, more.high),
        )

    def more(self, one: str, other: str) -> Interval:
        """Return how much higher the error rate of ``one`` is than that of ``other``.

        Draws of texts that do not differ do not differ; the next text may. So the interval of two
        bundles is never narrower than that (see :mod:`tools.compression.guard`).
        """
        mine, theirs = self._tables[one], self._tables[other]
        found = self._drawn.difference(mine, theirs)
        if one == other:
            return found
        unseen = unseen_more(mine, theirs, times=UNSEEN_BOTH_WAYS)
        low, high = found.estimate - unseen, found.estimate + unseen
        return Interval(found.estimate, min(found.low, low), max(found.high, high))

    def loss(self, name: str, *, most: float) -> Loss:
        """Return whether a bundle was shown to lose less than ``most`` against the original."""
        return judge_loss(
            self._tables[name],
            self._tables[self._original],
            drawn=self._drawn,
            most=most,
            constant=self.constant,
        )

    @cached_property
    def constant(self) -> float:
        """The error rate of always saying the same, chosen on these very texts."""
        said = [best_constant(self._truths, self.unit)] * len(self._truths)
        return float(edits(self._truths, said, self.unit).sum() / self.n_units)

    def doubts(self) -> tuple[str, ...]:
        """Return a sentence where the original cannot lose anything, so that nothing is shown."""
        rate = self._tables[self._original].rate
        if rate < self.constant:
            return ()
        return (
            f"the original errs as much as always saying the same does ({rate:.1%} and"
            f" {self.constant:.1%}): that nothing is lost shows nothing",
        )

    @property
    def _original(self) -> str:
        return next(iter(self._tables))


def text_exam(sessions: Sequence[HeldOut]) -> Exam:
    """Return an exam of texts that were held out of a training."""

    def read(engine: Engine) -> list[str]:
        return [listen(engine, session.samples).transcript for session in sessions]

    return Exam([session.text for session in sessions], read)
