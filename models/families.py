"""The families of networks: a network of one's own is a file, and a line here.

A recipe may also name one that is not ours, as ``package.module:Class``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.network import CtcNetwork

FAMILIES = {
    "eegnet": "models.eegnet:EegNet",
    "braindecode": "models.braindecode_classifier:BraindecodeClassifier",
    "gru-ctc": "models.gru_ctc:GruCtc",
    "conformer-ctc": "models.conformer_ctc:ConformerCtc",
    "recurrent": "models.recurrent:Recurrent",
    "speech-gru": "models.speech_gru:SpeechGru",
    "transformer": "models.transformer:Transformer",
}


def network_class(family: str) -> Any:
    """Return the class of a family, by its name here or as ``package.module:Class``.

    Raises:
        UsageError: there is none of that name.
    """
    module, colon, name = FAMILIES.get(family, family).partition(":")
    if colon:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(
                f"family: got {family!r}, which cannot be imported ({error})"
            ) from None
    raise UsageError(
        f"family: got {family!r}, wanted one of {', '.join(FAMILIES)}, or package.module:Class"
    )


def build(family: str, settings: Mapping[str, Any], *, seed: int = 0) -> CtcNetwork:
    """Return a network of ``family`` with random weights drawn from ``seed``, to be evaluated.

    Raises:
        UsageError: no such family, or the settings are not its own.
    """
    import torch

    made = network_class(family)
    try:
        shape = msgspec.convert(settings, made.settings_type)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network: CtcNetwork = made(shape).eval()
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"network of family {family}: {error}") from None
    return network
