"""What differs between kinds of head: the pipeline, the learner, its examples, and the export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from models.families import network_class
from pipeline.design_band import design
from pipeline.errors import UsageError
from pipeline.spec import PipelineSpec
from tools.training.recipe import convert

if TYPE_CHECKING:
    from models.manifest import ModelFile, StepFile
    from models.network import NetworkSettings
    from pipeline.spec import Decoder, SlidingWindow
    from pipeline.values import Samples
    from tools.training.data.examples import Examples, Sessions
    from tools.training.learner import Learner
    from tools.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Heard:
    """What the data offer: rate, channels, and the ``symbols`` of their texts."""

    rate_hz: float
    channels: tuple[str, ...]
    symbols: tuple[str, ...]
    has_lm: bool


@dataclass(frozen=True, slots=True)
class Exports:
    """A network as ``files`` by name, golden vectors among them, and what the manifest says."""

    model: ModelFile
    files: dict[str, bytes]
    step: StepFile | None = None


class Head(Protocol):
    """One kind of head, from a recipe to the files of a bundle."""

    def spec(self, recipe: Recipe, heard: Heard) -> PipelineSpec:
        """Return the pipeline, designed; UsageError where the recipe contradicts itself."""
        ...

    def learner(self, recipe: Recipe, heard: Heard) -> Learner:
        """Return a fresh network for ``heard`` in the learner that trains it."""
        ...

    def batches(self, recipe: Recipe, spec: PipelineSpec, sessions: Sessions) -> Examples:
        """Return what the learner learns from, made of whole ``sessions``."""
        ...

    def export(self, network: Any, spec: PipelineSpec, example: Samples) -> Exports:
        """Return the network as files; golden vectors are made of ``example``, raw µV."""
        ...


def network_settings(recipe: Recipe, heard: Heard) -> NetworkSettings:
    """Return the shape that the recipe gives a network of ``heard``.

    ``X_s`` stands for ``X_samples``, rounded to whole ones.

    Raises:
        UsageError: a key that the family does not have, or a wrong value; names its path.
    """
    kind = network_class(recipe.family).settings_type
    given: dict[str, Any] = {}
    for key, value in recipe.network.items():
        in_samples = f"{key.removesuffix('_s')}_samples"
        if key in {"n_inputs", "n_symbols"}:
            raise UsageError(f"recipe: network.{key}: no such key, the data decide it")
        if key.endswith("_s") and in_samples in kind.__struct_fields__:
            if type(value) not in {int, float}:
                raise UsageError(f"recipe: network.{key}: got {value!r}, wanted seconds")
            given[in_samples] = round(value * heard.rate_hz)
        else:
            given[key] = value
    given["n_inputs"] = len(recipe.signal.bands) * len(heard.channels)
    given["n_symbols"] = 1 + len(heard.symbols)
    settings: NetworkSettings = convert(given, kind, where="recipe", path="network")
    return settings


def designed(
    recipe: Recipe, heard: Heard, *, window: SlidingWindow, decoder: Decoder
) -> PipelineSpec:
    """Return the whole pipeline of the recipe, filters designed; the blank comes first.

    A band whose sections are given stays as it is.

    Raises:
        UsageError: a filter that cannot be.
    """
    signal = recipe.signal
    bands = tuple(
        band
        if band.sos
        else msgspec.structs.replace(band, notch_hz=band.notch_hz or signal.line_hz)
        for band in signal.bands
    )
    try:
        return design(
            PipelineSpec(
                rate_hz=heard.rate_hz,
                channels=heard.channels,
                reference=signal.reference,
                bands=bands,
                normalise=signal.normalise,
                window=window,
                decoder=decoder,
                vocabulary=("", *heard.symbols),
            )
        )
    except ValueError as error:
        raise UsageError(f"recipe: signal: {error}") from None
