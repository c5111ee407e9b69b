"""A bundle in, one that is smaller and faster out, with proof; or none, and why.

    bundle, data ─▶ two parts ─▶ search: walks through the steps, each guarded      (first part)
                              ─▶ front ─▶ the one that the limits pick
                              ─▶ confirmed once beside the original                 (second part)
                              ─▶ bundle, table, plot

A search that was killed goes on where it was when the same command is given again.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from models.bundle import load_bundle
from models.weights import WEIGHTS
from pipeline.errors import BundleError, UsageError
from pipeline.spec import SlidingWindow
from runtime.whole_file import write_whole
from tools.compression.ground import recorded_ground
from tools.compression.optimizing.choice import NothingFitsError, front, kept_of, pick
from tools.compression.optimizing.confirm import Confirming
from tools.compression.optimizing.report import OptimizeReport
from tools.compression.optimizing.search import search
from tools.compression.optimizing.walk import Limits, Stored, Walker
from tools.compression.pruning.prunable import Prunable
from tools.compression.pruning.trial_lessons import learnt_of
from tools.compression.pruning.units import is_known, kinds_of
from tools.compression.sizes import model_bytes
from tools.training.tasks import is_of_simulated_person

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.compression.ground import Ground
    from tools.compression.optimizing.asked import Asked
    from tools.compression.optimizing.walk import Walk

IDENTITY, TRAININGS = "search.json", "trainings"


class Optimizing:
    """One optimisation of one bundle.

    Raises:
        BundleError: the bundle cannot be opened.
        UsageError: what is asked contradicts the bundle, or the folder holds another search.
        RecordingError: the recordings cannot be used, or are too few for two parts.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.parent = load_bundle(asked.bundle)
        self.folder = asked.out.with_name(f"{asked.out.name}.optimizing")
        self.prunable = self._prunable()
        self.ground = self._ground()
        self.seen, self.unseen = self.ground.split()
        self._check_identity()
        limits = Limits(asked.max_drop, asked.n_blocks, asked.n_windows)
        original = Stored(asked.bundle, self.parent)
        self.walker = Walker(original, self.seen, self.folder, limits, self.prunable)

    @property
    def is_simulated(self) -> bool:
        """Whether the bundle was trained on the simulated person, and is fine-tuned on it."""
        return is_of_simulated_person(self.parent.manifest.provenance.data)

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for everything in the recordings that is left out."""
        return self.prunable.lessons.problems if self.prunable else ()

    def run(self, *, on_walk: Callable[[Walk], None] = lambda _walk: None) -> OptimizeReport:
        """Search, pick, confirm, and write the bundle where it was confirmed."""
        asked, exam = self.asked, self.walker.exam
        walks = search(
            self.walker.walk,
            kinds_of(self.prunable.family) if self.prunable else (),
            n_walks=asked.n_walks,
            size_bytes=model_bytes(self.parent),
            on_walk=on_walk,
        )
        kept = kept_of(walks)
        report = OptimizeReport(
            bundle=asked.out.name,
            parent=self.parent.sha256,
            data=self.ground.kind,
            unit=exam.unit,
            max_drop=asked.max_drop,
            n_search=exam.n_texts,
            n_search_units=exam.n_units,
            walks=tuple(walks),
            front=tuple(one.name for one in front(kept)),
            notes=self.seen.notes,
        )
        try:
            picked = pick(
                kept, p99_ms=asked.p99_ms, most_bytes=asked.most_bytes, prefer=asked.prefer
            )
        except NothingFitsError as error:
            return replace(report, refused=str(error))
        confirming = Confirming(asked, self.parent, self.unseen, self.walker, self.prunable, picked)
        return confirming.run(report)

    def clean_up(self) -> None:
        """Remove what the search kept on its way."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _prunable(self) -> Prunable | None:
        """Return what was trained here as it may be pruned, None of any other.

        What selects is only where some of what it learnt from is given.
        """
        asked, parent = self.asked, self.parent
        recipe = parent.manifest.provenance.recipe
        if not (recipe and WEIGHTS in parent.files):
            return None
        is_text = isinstance(parent.manifest.pipeline.window, SlidingWindow)
        if not is_text and not (is_known(recipe["family"]) and learnt_of(parent, asked.paths)):
            return None
        return Prunable(
            asked.bundle,
            self.folder / TRAININGS,
            paths=() if self.is_simulated else asked.paths,
            n_steps=asked.n_steps,
            rate=asked.rate,
            cache=asked.cache,
        )

    def _ground(self) -> Ground:
        """Return what the bundle is measured on."""
        if self.prunable is not None and not (self.is_simulated and self.asked.paths):
            return self.prunable.lessons.ground(n_texts=self.asked.n_texts)
        if not self.asked.paths:
            raise BundleError(
                f"{self.parent.manifest.name}: was not trained here on the simulated person, or"
                " holds no weights, wanted labelled recordings"
            )
        return recorded_ground(self.asked.bundle, self.asked.paths, n_texts=self.asked.n_texts)

    def _check_identity(self) -> None:
        """Refuse to go on with a search of something else."""
        asked = self.asked
        trained_on = self.prunable.lessons.data if self.prunable else {}
        data = (trained_on, [str(path) for path in asked.paths])
        what = (asked.max_drop, asked.n_steps, asked.rate, asked.n_texts, asked.n_blocks)
        identity = msgspec.json.encode((self.parent.sha256, data, what, asked.n_windows))
        kept = self.folder / IDENTITY
        if kept.is_file() and kept.read_bytes() != identity:
            raise UsageError(
                f"{self.folder}: holds a search of another bundle, other data or limits; wanted the"
                " same command to go on with it, or the folder removed"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(kept, identity)
