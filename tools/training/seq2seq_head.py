"""The ``seq2seq`` head: windows that overlap, each written out symbol by symbol."""

from __future__ import annotations

from dataclasses import replace
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
from tools.training.data.examples import SimulatedExamples
from tools.training.data.windows import WindowCut, Windows
from tools.training.head import Exports, Heard, designed, network_settings
from tools.training.recipe import convert
from tools.training.seq2seq_learner import Seq2SeqLearner, Seq2SeqLearnerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.export_seq2seq import ExportedSeq2Seq
    from models.seq2seq import Seq2SeqNetwork
    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.data.examples import Sessions
    from tools.training.recipe import Recipe

SETTLE_S: Final = 0.16
"""How long before its window's end a symbol has to have ended to be written."""

PER_SESSION: Final = 2
"""Windows of one simulated session: it costs more to make than a window to cut."""

REST_S: Final = (0.2, 5.0)
"""Rest before and after a simulated text: windows that begin or end with it are rare otherwise."""

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
        n_windows = 1
        if isinstance(sessions, SimulatedExamples):
            n_windows = PER_SESSION
            sessions = replace(sessions, lead_s=REST_S, tail_s=REST_S)
        return Windows(
            sessions,
            cut,
            max_symbols=shape.max_symbols,
            seed=recipe.training.seed,
            per_session=n_windows,
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
    memories = [run_encoder(exported, window[np.newaxis]) for window in windows]
    tokens = np.stack([_likely_texts(exported, memory) for memory in memories])  # (n, R, S)
    given = [run_steps(exported, *each) for each in zip(memories, tokens, strict=True)]
    log_probs, attention = (np.stack(each).swapaxes(1, 2) for each in zip(*given, strict=True))
    steps = StepVectors(tokens.swapaxes(1, 2), log_probs, attention)
    return write_golden(windows, np.concatenate(memories), steps)


def _likely_texts(exported: ExportedSeq2Seq, memory: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a text the network might write in each row, (R, S), the start first.

    Row r goes on from the symbol that is r-th likeliest to come first. Texts that no network would
    write lead it where it amplifies the last bits, and these differ between machines.
    """
    n_rows = exported.step.n_rows
    tokens = np.zeros((n_rows, 1), np.int64)
    for k in range(min(GOLDEN_STEPS, exported.step.max_symbols) - 1):
        log_probs = run_steps(exported, memory, tokens)[0][:, -1, 1:]  # (R, V - 1)
        order = 1 + np.argsort(-log_probs, axis=1)  # (R, V - 1)
        rank = np.arange(n_rows) % order.shape[1] if k == 0 else np.zeros(n_rows, np.int64)
        following = np.take_along_axis(order, rank[:, np.newaxis], axis=1)  # (R, 1)
        tokens = np.concatenate([tokens, following], axis=1)  # (R, k + 2)
    return tokens
