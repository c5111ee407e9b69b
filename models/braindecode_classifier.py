"""Any classifier of braindecode as a family of ours, by its name there.

braindecode is not one of our requirements: where it is installed, a recipe may say
``family = "braindecode"`` and ``network.name = "EEGNeX"``. What is exported and run is ONNX, as
always; the daemon never needs it.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import warnings
from typing import TYPE_CHECKING, Any

import msgspec

from models.classifier import Classifier, ClassifierSettings
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

OURS = frozenset({"n_chans", "n_outputs", "n_times", "sfreq", "input_window_seconds", "chs_info"})


class BraindecodeSettings(ClassifierSettings, frozen=True):
    """``name`` of the class in ``braindecode.models`` and its own ``options``, by its names.

    ``rate_hz`` is the samples' rate, for those that design filters.
    """

    name: str = "EEGNet"
    rate_hz: float = 0.0
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class BraindecodeClassifier(Classifier):
    """The network of that name.

    Raises:
        UsageError: braindecode is missing or cannot be loaded.
        ValueError: it has no such network, or this one takes no such options or windows.
    """

    settings_type = BraindecodeSettings
    settings: BraindecodeSettings

    def __init__(self, settings: BraindecodeSettings) -> None:
        super().__init__(settings)
        s = settings
        made = _named(s.name)
        unknown = sorted(set(s.options) - (set(inspect.signature(made).parameters) - OURS))
        if unknown:
            raise ValueError(f"options: {s.name} has no {unknown[0]!r}")
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                self.inside = made(
                    n_chans=s.n_inputs,
                    n_outputs=s.n_symbols,
                    n_times=s.n_frames,
                    sfreq=s.rate_hz / s.patch_samples,
                    **s.options,
                )
            except (RuntimeError, TypeError) as error:
                raise ValueError(f"{s.name}: {error}") from None

    def classify(self, frames: Tensor) -> Tensor:
        """Return scores (B, V) of ``frames`` (B, F, C)."""
        scores: Tensor = self.inside(frames.transpose(1, 2))  # (B, V)
        return scores.reshape(len(frames), self.settings.n_symbols)


def _named(name: str) -> Any:
    """Return a class of ``braindecode.models``; its import says much, none of it to us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            models = importlib.import_module("braindecode.models")
            base = importlib.import_module("braindecode.models.base").EEGModuleMixin
        except (ImportError, OSError) as error:
            raise UsageError(
                f"family: braindecode wants the package of that name, and torchaudio for the same "
                f"torch ({error})"
            ) from None
    made = getattr(models, name, None)
    if not (inspect.isclass(made) and issubclass(made, base)):
        raise ValueError(f"name: got {name!r}, wanted a class of braindecode.models")
    return made
