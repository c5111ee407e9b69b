"""From a bundle on disk to a chain that is ready to run: verified, proven, warm.

One engine serves any number of streams: they share the session and the language model, and each
has a chain with state of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from models.bundle import Bundle, load_bundle
from models.golden import check_golden
from models.onnx_backend import OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session
from pipeline.chain import Chain
from pipeline.decoder_ranges import check_decoder
from pipeline.errors import BundleError, UsageError
from runtime.bundle_language import language_model, read_words
from runtime.wire.messages import ModelName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from onnxruntime import InferenceSession

    from models.model import Model
    from models.providers import ProviderChoice
    from pipeline.chain import Scorer
    from pipeline.ctc_lexicon import Words
    from pipeline.language_model import LanguageModel
    from pipeline.seq2seq import Stepper
    from pipeline.spec import PipelineSpec
    from runtime.source import StreamInfo


@dataclass(frozen=True, slots=True)
class Engine:
    """A verified bundle, less the bytes of its files, with its open sessions."""

    bundle: Bundle
    spec: PipelineSpec
    session: InferenceSession
    lm: LanguageModel | None
    words: Words | None = None
    has_changes: bool = False
    """Whether decoder settings were replaced; then what does not fit is the asker's fault."""
    step_session: InferenceSession | None = None
    """The step decoder of a ``seq2seq`` head."""
    model_s: float = 0.0
    """How long the model's fastest call took."""

    @property
    def model_name(self) -> ModelName:
        """Who speaks in the messages."""
        manifest = self.bundle.manifest
        return ModelName(
            name=manifest.name,
            sha256=self.bundle.sha256,
            verified=manifest.evaluation.verdict == "reads EEG",
        )

    def chain(
        self, *, model: Scorer | None = None, stepper: Stepper | None = None, **options: Any
    ) -> Chain:
        """Return a chain of its own state; ``options`` are those of :class:`pipeline.chain.Chain`.

        ``model`` and ``stepper`` stand in for fresh ones of the bundle's, where the same is to be
        had otherwise.

        Raises:
            BundleError: the pipeline's settings contradict each other.
            UsageError: they do since some were replaced.
        """
        manifest = self.bundle.manifest
        if model is None:
            model = self.model()
        if stepper is None:
            stepper = self.stepper()
        try:
            return Chain(
                self.spec,
                model,
                n_frames=manifest.model.output.shape[1],
                stepper=stepper,
                lm=self.lm,
                words=self.words,
                **options,
            )
        except ValueError as error:
            if self.has_changes:
                raise UsageError(f"--set: {error}") from None
            raise BundleError(f"{manifest.name}: pipeline: {error}") from None

    def model(self) -> Model:
        """Return the bundle's model with a fresh state, warm."""
        model = OnnxModel(self.session, self.bundle.manifest.model)
        model.warm_up()
        return model

    def stepper(self) -> Stepper | None:
        """Return the step decoder of a ``seq2seq`` head, warm; None where there is none."""
        stepper = _stepper(self.bundle, self.step_session)
        if stepper is not None:
            stepper.warm_up()
        return stepper

    def confidence(self, raw: float | None, *, tainted: bool) -> float | None:
        """Return the probability that a piece is exactly right; None where the bundle cannot say.

        A tainted piece has none of what the fit was made on: its confidence is 0.
        """
        fit = self.bundle.manifest.confidence
        if fit is None or raw is None:
            return None
        return 0.0 if tainted else fit.apply(raw)


def open_engine(
    path: Path,
    *,
    pinned_sha256: str | None = None,
    providers: ProviderChoice = "auto",
    n_threads: int = 1,
    decoder: Mapping[str, str] | None = None,
) -> Engine:
    """Load, verify and prove a bundle, and open its session.

    Args:
        path: folder or ``.eegb`` file.
        pinned_sha256: refuse any other manifest.
        providers: where the model runs.
        n_threads: threads inside one operator.
        decoder: decoder settings that replace the bundle's, as text.

    Raises:
        BundleError: anything about the bundle.
        ConfigError: the provider asked for does not work here.
        UsageError: ``decoder`` names no setting or has a value of the wrong type.
    """
    bundle = load_bundle(path, pinned_sha256=pinned_sha256)
    spec = with_decoder(bundle.manifest.pipeline, decoder or {})
    session = open_session(bundle, providers=providers, n_threads=n_threads)
    step_session = None
    if bundle.manifest.step is not None:
        step_session = open_step_session(bundle, providers=providers, n_threads=n_threads)
    model = OnnxModel(session, bundle.manifest.model)
    check_golden(bundle, model, _stepper(bundle, step_session))
    lm, words = language_model(bundle, spec), read_words(bundle, spec)
    known = lm or (words and words.lm)
    if known is None and spec.decoder.lm_weight and "lm_weight" in (decoder or {}):
        raise UsageError(
            f"--set decoder.lm_weight: the bundle {bundle.manifest.name!r} has no language model"
        )
    used = replace(bundle, files={})  # a network's bytes are no longer needed, and may be many
    return Engine(used, spec, session, lm, words, bool(decoder), step_session, model.warm_up())


def _stepper(bundle: Bundle, session: InferenceSession | None) -> OnnxStepper | None:
    manifest = bundle.manifest
    if session is None or manifest.step is None:
        return None
    return OnnxStepper(session, manifest.step, manifest.model)


def check_fit(engine: Engine, info: StreamInfo) -> None:
    """Refuse a stream that the bundle was not made for.

    Raises:
        BundleError: another rate, or other channels.
    """
    spec = engine.spec
    name = engine.bundle.manifest.name
    if not np.isclose(info.rate_hz, spec.rate_hz, rtol=1e-3):
        raise BundleError(
            f"{info.name}: rate is {info.rate_hz:g} Hz,"
            f" the bundle {name!r} wants {spec.rate_hz:g} Hz"
        )
    if info.channels != spec.channels:
        missing = [c for c in spec.channels if c not in info.channels]
        got = (
            f"lacks {', '.join(missing[:6])}" if missing else f"has channels {list(info.channels)}"
        )
        raise BundleError(f"{info.name}: {got}, the bundle {name!r} wants {list(spec.channels)}")


def with_decoder(spec: PipelineSpec, changes: Mapping[str, str]) -> PipelineSpec:
    """Return ``spec`` with decoder settings replaced; values are text, as on the command line.

    Raises:
        UsageError: no such setting, or a value of the wrong type.
    """
    if not changes:
        return spec
    decoder = spec.decoder
    settings = msgspec.to_builtins(decoder)
    names = [name for name in decoder.__struct_fields__ if name != "scores"]
    for key, text in changes.items():
        if key not in names:
            raise UsageError(
                f"--set decoder.{key}: no such setting, wanted one of {', '.join(names)}"
            )
        settings[key] = None if text == "none" else text
    try:
        changed = msgspec.convert(settings, type(decoder), strict=False)
        check_decoder(changed)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"--set: {error}") from None
    return msgspec.structs.replace(spec, decoder=changed)


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return ``decoder.KEY=VALUE`` texts as a mapping.

    Raises:
        UsageError: a text of another form.
    """
    changes = {}
    for text in texts:
        key, equals, value = text.partition("=")
        name = key.removeprefix("decoder.")
        if not equals or name == key or not name:
            raise UsageError(f"--set {text}: wanted decoder.KEY=VALUE")
        changes[name] = value
    return changes
