"""The training of a bundle that selects, gone on with on the recordings that it learnt from.

A bundle knows the files that it has learnt from by their digests: of the recordings that are given
those are learnt from again, and errors are judged on the others. What a window is the bundle says.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from pipeline.errors import RecordingError, UsageError
from pipeline.markers import split_marker
from pipeline.spec import SelectionDecoder
from tools.compression.ground import recorded_ground
from tools.compression.pruning.tuning import TEACHER_WEIGHT
from tools.evaluation.passes.reel import STIMULUS_ON
from tools.recordings.digests import digests, parts_of, sample_digests
from tools.recordings.labelled_trials import Recording, find_trials, read_whole
from tools.training.classifier.course import export
from tools.training.classifier.learner import ClassifierLearner, ClassifierSettings, TrialExamples
from tools.training.data.augment import Augmentation
from tools.training.data.trial_windows import STIMULUS, stimulus_windows, symbol_windows
from tools.training.recipe import convert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from models.bundle import Bundle
    from models.classifier import Classifier
    from pipeline.spec import PipelineSpec
    from tools.compression.ground import RecordedGround
    from tools.recordings.labelled_trials import Whole
    from tools.training.classifier.learner import TrialBatch
    from tools.training.data.trial_windows import TrialWindows
    from tools.training.head import Exports
    from tools.training.recipe import Recipe


class OnwardLearner(ClassifierLearner):
    """A classifier that goes on learning from windows, and from what another says of each.

    Args:
        network: gets ``scale``, whatever the windows': its weights were learnt behind that.
        settings: of the training that was.
        windows: that it learns from.
        scale: (C,) of the original.
        teacher: the original, None for none.
    """

    def __init__(
        self,
        network: Classifier,
        settings: ClassifierSettings,
        *,
        windows: TrialWindows,
        scale: Tensor,
        teacher: Classifier | None = None,
    ) -> None:
        super().__init__(network, settings, windows=windows)
        network.scale.copy_(scale)
        # In a tuple: its weights are not this learner's.
        self._teachers = () if teacher is None else (teacher.eval(),)

    def loss(self, batch: TrialBatch, *, progress: float) -> Tensor:
        """Return the mean nats of the labels, and those by which scores differ from a teacher's."""
        del progress
        scores = self._scores(batch)  # (B, V)
        loss = self._nats(scores, self.tensor(batch.labels))
        for teacher in self._teachers:
            with torch.no_grad():
                wanted = teacher(self.tensor(batch.samples))[:, 0].float()  # (B, V)
            apart = self._apart(wanted, scores)
            self.parts = {"labels": loss.detach(), "teacher": apart.detach()}
            loss = loss + TEACHER_WEIGHT * apart
        return loss

    def _apart(self, wanted: Tensor, scores: Tensor) -> Tensor:
        """Return the mean divergence of what ``scores`` say of each window from ``wanted``."""
        if self._is_of_symbols:
            return (wanted.exp() * (wanted - scores)).sum(dim=1).mean()
        wanted = wanted[:, 0] + self._prior  # (B,)
        both = functional.binary_cross_entropy_with_logits
        chances = wanted.sigmoid()
        return both(scores[:, 0] + self._prior, chances) - both(wanted, chances)


class TrialLessons:
    """See the module, and :class:`tools.compression.pruning.lessons.Lessons`.

    Args:
        path: of the bundle.
        bundle: selects.
        recipe: by which it was trained.
        network: the bundle's.
        paths: recordings.

    Raises:
        UsageError: there are no recordings.
        RecordingError: the bundle has learnt from none of them, or one cannot be used.
    """

    def __init__(
        self, path: Path, bundle: Bundle, recipe: Recipe, network: Any, paths: Sequence[Path]
    ) -> None:
        name = bundle.manifest.name
        if not paths:
            raise UsageError(f"{name}: was trained on recordings, wanted recordings")
        self.share = 1.0  # of seconds: less was measured to leave most of the loss
        self._path, self._recipe, self._paths = path, recipe, paths
        self._spec, self._scale = bundle.manifest.pipeline, network.scale.clone()
        self._known = learnt_of(bundle, paths)
        self._others = [one for one in paths if one not in self._known]
        if not self._known:
            raise RecordingError(
                f"{_names(paths)}: {name} has learnt from none of them, wanted one that it has, to"
                f" go on with its training: {', '.join(bundle.manifest.provenance.data) or 'none'}"
            )
        self._windows, is_simulated = windows_of(self._known, self._spec)
        self._is_simulated = is_simulated
        self.examples = self._examples(self._windows, recipe.data.augment)
        self.data = digests(part for one in self._known for part in parts_of(one))
        n_skipped = self._windows.n_skipped
        left_out = f"{n_skipped} windows of {_names(self._known)} that are not whole"
        self.problems: tuple[str, ...] = (left_out,) if n_skipped else ()

    @property
    def kind(self) -> str:
        """See the protocol."""
        return "simulated" if self._is_simulated else "recorded"

    @cached_property
    def validation(self) -> TrialExamples | None:
        """The windows of what was not learnt from, as they are."""
        if not self._others:
            return None
        return self._examples(windows_of(self._others, self._spec)[0], Augmentation())

    def learner(self, recipe: Recipe, network: Any, *, teacher: Any | None) -> OnwardLearner:
        """Return a learner; see the protocol."""
        settings = convert(recipe.learner, ClassifierSettings, where="recipe", path="learner")
        return OnwardLearner(
            network, settings, windows=self._windows, scale=self._scale, teacher=teacher
        )

    def exports(self, recipe: Recipe, network: Any) -> Exports:
        """Return the files; all there is to know is in the network."""
        del recipe
        return export(network)

    def ground(self, *, n_texts: int | None) -> RecordedGround:
        """Return the recordings that were not learnt from; see the protocol."""
        if not self._others:
            raise RecordingError(
                f"{_names(self._paths)}: the bundle has learnt from all of them, wanted a labelled"
                " recording more that it has not, to judge errors on"
            )
        return recorded_ground(self._path, self._paths, n_texts=n_texts)

    def notes(self, *, n_texts: int | None) -> tuple[str, ...]:
        """Return what was learnt from, and what errors are of."""
        del n_texts
        learnt, judged = _names(self._known), _names(self._others)
        return (f"Fine-tuned on {learnt}; errors are of {judged}, never learnt from.",)

    def _examples(self, windows: TrialWindows, augmentation: Augmentation) -> TrialExamples:
        return TrialExamples(
            windows,
            n_batch=self._recipe.data.n_batch,
            seed=self._recipe.training.seed,
            augmentation=augmentation,
            rate_hz=self._spec.rate_hz,
            n_channels=len(self._spec.channels),
        )


def learnt_of(bundle: Bundle, paths: Sequence[Path]) -> list[Path]:
    """Return those of the recordings that the bundle has learnt from.

    Raises:
        RecordingError: one cannot be read.
    """
    learnt = frozenset(bundle.manifest.provenance.data.values())
    try:
        return [path for path in paths if sample_digests(path) & learnt]
    except OSError as error:
        raise RecordingError(f"{error.filename}: cannot be read: {error.strerror}") from None


def windows_of(paths: Sequence[Path], spec: PipelineSpec) -> tuple[TrialWindows, bool]:
    """Return the windows of recordings as a bundle's pipeline cuts them; whether one is simulated.

    Raises:
        RecordingError: one cannot be used, is of another rate, or holds no window.
    """
    from runtime.recordings.source import RecordingSource  # readers of every format

    wholes, names = [], [path.name for path in paths]
    for path in paths:
        source = RecordingSource(path, channels=spec.channels)
        whole = _renamed(read_whole(source, name=path.name), spec)
        if whole.rate_hz != spec.rate_hz:
            raise RecordingError(
                f"{path.name}: {whole.rate_hz:g} Hz, wanted the bundle's {spec.rate_hz:g} Hz"
            )
        wholes.append(whole)
    is_simulated = any(whole.is_simulated for whole in wholes)
    decoder = spec.decoder
    if isinstance(decoder, SelectionDecoder) and decoder.scores == "stimulus":
        return stimulus_windows(wholes, names, spec), is_simulated
    recordings = [_of_trials(whole, name) for whole, name in zip(wholes, names, strict=True)]
    return symbol_windows(recordings, spec), is_simulated


def _renamed(whole: Whole, spec: PipelineSpec) -> Whole:
    """Return a recording with its markers called as the chain calls them."""
    names = spec.markers
    markers = tuple(replace(m, text=names.get(m.text, m.text)) for m in whole.markers)
    return replace(whole, markers=markers)


def _of_trials(whole: Whole, name: str) -> Recording:
    """Return the trials of a recording, whatever its stimulus is called behind ``stim:``."""
    alike = [
        replace(m, text=STIMULUS_ON) if split_marker(m.text)[0] == STIMULUS else m
        for m in whole.markers
    ]
    return Recording(
        name=name,
        rate_hz=whole.rate_hz,
        channels=whole.channels,
        samples=whole.samples,
        trials=find_trials(alike, stimulus=STIMULUS_ON, n_samples=len(whole.samples)),
        spoilt=whole.spoilt,
        is_simulated=whole.is_simulated,
    )


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
