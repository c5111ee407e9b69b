"""The ``seq2seq`` head: windows that overlap, each written out symbol by symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from models.export_seq2seq import export_seq2seq, run_encoder, run_steps
from models.families import build
from models.golden import GOLDEN, StepVectors, write_golden
from models.seq2seq import Seq2SeqSettings
from pipeline.errors import UsageError
from pipeline.filters import FilterChain
from pipeline.spec import Seq2SeqDecoder, SlidingWindow
from tools.training.examples import SimulatedExamples
from tools.training.head import Exports, Heard, designed, network_settings
from tools.training.recipe import convert
from tools.training.seq2seq_learner import Seq2SeqLearner, Seq2SeqLearnerSettings
from tools.training.windows import WindowCut, Windows

if TYPE_CHECKING:
    from models.export_seq2seq import ExportedSeq2Seq
    from models.seq2seq import Seq2SeqNetwork
    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.examples import Sessions
    from tools.training.recipe import Recipe

SETTLE_S: Final = 0.16
"""How long before its window's end a symbol has to have ended to be written."""

PER_SESSION: Final = 2
"""Windows of one simulated session: it costs more to make than a window to cut."""

GOLDEN_WINDOWS: Final = 3
GOLDEN_STEPS: Final = 12


class Seq2SeqHead:
    """See the module; a :class:`~tools.training.head.Head`."""

    def spec(self, recipe: Recipe, heard: Heard) -> PipelineSpec:
        """Return a pipeline whose window and hop are the whole patches that come closest."""
        shape = _shape(recipe, heard)
        if recipe.window.window_s is None:
            raise UsageError("recipe: window.window_s: got none, wanted the seconds of a window")
        hop_samples, window_samples = (
            shape.patch_samples * max(1, round(length_s * heard.rate_hz / shape.patch_samples))
            for length_s in (recipe.window.hop_s, recipe.window.window_s)
        )
        if hop_samples >= window_samples:
            raise UsageError(
                f"recipe: window: got a hop of {hop_samples} and windows of {window_samples} "
                "samples, wanted windows that overlap"
            )
        decoder = convert(recipe.decoder, Seq2SeqDecoder, where="recipe", path="decoder")
        if not heard.has_lm:
            decoder = msgspec.structs.replace(decoder, lm_weight=0.0, length_bonus=0.0)
        window = SlidingWindow(window_samples=window_samples, hop_samples=hop_samples)
        return designed(recipe, heard, window=window, decoder=decoder)

    def learner(self, recipe: Recipe, heard: Heard) -> Seq2SeqLearner:
        """Return a fresh network for ``heard`` in the learner that trains it."""
        shape = msgspec.to_builtins(_shape(recipe, heard))
        network: Any = build(recipe.family, shape, seed=recipe.training.seed)
        settings = convert(recipe.learner, Seq2SeqLearnerSettings, where="recipe", path="learner")
        return Seq2SeqLearner(network, settings, seed=recipe.training.seed)

    def batches(self, recipe: Recipe, spec: PipelineSpec, sessions: Sessions) -> Windows:
        """Return windows cut out of ``sessions``."""
        if not isinstance(spec.window, SlidingWindow):
            raise TypeError("spec.window: wanted a sliding window")
        heard = Heard(spec.rate_hz, spec.channels, spec.vocabulary[1:], has_lm=False)
        shape = _shape(recipe, heard)
        cut = WindowCut(
            window_samples=spec.window.window_samples,
            patch_samples=shape.patch_samples,
            settle_samples=round(SETTLE_S * spec.rate_hz),
        )
        return Windows(
            sessions,
            cut,
            max_symbols=shape.max_symbols,
            seed=recipe.training.seed,
            per_session=PER_SESSION if isinstance(sessions, SimulatedExamples) else 1,
        )

    def export(self, network: Seq2SeqNetwork, spec: PipelineSpec, example: Samples) -> Exports:
        """Return the network as two files, with as many rows as the search is wide."""
        if not isinstance(spec.window, SlidingWindow):
            raise TypeError("spec.window: wanted a sliding window")
        if not isinstance(spec.decoder, Seq2SeqDecoder):
            raise TypeError("spec.decoder: wanted that of a seq2seq head")
        exported = export_seq2seq(
            network, n_samples=spec.window.window_samples, n_rows=spec.decoder.beam
        )
        files = {
            exported.encoder.file.path: exported.encoder.data,
            exported.step.path: exported.step_data,
            GOLDEN: _golden(exported, FilterChain(spec).push(example)),
        }
        return Exports(exported.encoder.file, files, exported.step)


def _shape(recipe: Recipe, heard: Heard) -> Seq2SeqSettings:
    shape = network_settings(recipe, heard)
    if not isinstance(shape, Seq2SeqSettings):
        raise TypeError(f"{recipe.family}: wanted settings of a sequence-to-sequence network")
    return shape


def _golden(exported: ExportedSeq2Seq, filtered: Samples) -> bytes:
    """Return golden vectors of windows of ``filtered`` (n, n_inputs), which is used again."""
    _, n_samples, n_inputs = exported.encoder.file.input.shape
    windows = np.resize(filtered, (GOLDEN_WINDOWS, n_samples, n_inputs))
    n_steps = min(GOLDEN_STEPS, exported.step.max_symbols)
    rng = np.random.default_rng(0)
    shape = (GOLDEN_WINDOWS, exported.step.n_rows, n_steps)
    tokens = rng.integers(1, exported.step.output.shape[1], shape)
    tokens[:, :, 0] = 0
    memories = [run_encoder(exported, window[np.newaxis]) for window in windows]
    given = [run_steps(exported, *each) for each in zip(memories, tokens, strict=True)]
    log_probs, attention = (np.stack(each).swapaxes(1, 2) for each in zip(*given, strict=True))
    steps = StepVectors(tokens.swapaxes(1, 2), log_probs, attention)
    return write_golden(windows, np.concatenate(memories), steps)
