"""The ``ctc`` head: frames of log-probabilities, a few of them a hop, from a network with state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from models.export import export_ctc, run_calls
from models.families import build
from models.golden import GOLDEN, write_golden
from pipeline.filters import FilterChain
from pipeline.spec import CtcDecoder, SlidingWindow
from tools.training.head import Exports, designed, network_settings
from tools.training.learner import CtcLearner, CtcLearnerSettings
from tools.training.recipe import convert

if TYPE_CHECKING:
    from models.network import CtcNetwork
    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.data.examples import Examples, Sessions
    from tools.training.head import Heard
    from tools.training.recipe import Recipe

GOLDEN_CALLS = 25


class CtcHead:
    """See the module; a :class:`~tools.training.head.Head`."""

    def spec(self, recipe: Recipe, heard: Heard) -> PipelineSpec:
        """Return a pipeline whose hop is as many patches as come closest to ``window.hop_s``."""
        patch_samples = network_settings(recipe, heard).patch_samples
        n_frames = max(1, round(recipe.window.hop_s * heard.rate_hz / patch_samples))
        hop_samples = n_frames * patch_samples
        decoder = convert(recipe.decoder, CtcDecoder, where="recipe", path="decoder")
        if not heard.has_lm:
            decoder = msgspec.structs.replace(decoder, lm_weight=0.0, length_bonus=0.0)
        window = SlidingWindow(window_samples=hop_samples, hop_samples=hop_samples)
        return designed(recipe, heard, window=window, decoder=decoder)

    def learner(self, recipe: Recipe, heard: Heard) -> CtcLearner:
        """Return a fresh network for ``heard`` in the learner that trains it."""
        shape = msgspec.to_builtins(network_settings(recipe, heard))
        network = build(recipe.family, shape, seed=recipe.training.seed)
        settings = convert(recipe.learner, CtcLearnerSettings, where="recipe", path="learner")
        return CtcLearner(network, settings, seed=recipe.training.seed)

    def batches(self, recipe: Recipe, spec: PipelineSpec, sessions: Sessions) -> Examples:
        """Return ``sessions``: the network hears them from end to end."""
        return sessions

    def export(self, network: CtcNetwork, spec: PipelineSpec, example: Samples) -> Exports:
        """Return the network as one file that takes a hop a call."""
        if not isinstance(spec.window, SlidingWindow):
            raise TypeError("spec.window: wanted a sliding window")
        n_samples = spec.window.hop_samples
        exported = export_ctc(network, n_frames=n_samples // network.settings.patch_samples)
        filtered = FilterChain(spec).push(example)[: GOLDEN_CALLS * n_samples]
        windows = filtered[: len(filtered) // n_samples * n_samples]
        outputs = run_calls(exported, windows).reshape(-1, *exported.file.output.shape[1:])
        golden = write_golden(windows.reshape(-1, n_samples, windows.shape[1]), outputs)
        return Exports(exported.file, {exported.file.path: exported.data, GOLDEN: golden})
