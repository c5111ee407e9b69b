"""A recipe: all that decides what comes out of a training but the data, as one small TOML file.

    family = "gru-ctc"          # models/families.py, or package.module:Class
    [network] …                 # the family's settings less n_inputs and n_symbols
    [window] …  [signal] …      # when the network runs, and what it hears
    [data] …  [data.augment] …  [data.simulated] …
    [training] …  [learner] …
    [decoder] …  [language_model] …  [diagnostics] …

Every key has a default and unknown ones are refused with their path. A network's setting that
counts samples may be given in seconds, ``kernel_s`` for ``kernel_samples``.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pipeline.errors import UsageError
from pipeline.spec import Band, Normalise, Reference, Settings
from tools.training.data.table import DataTable
from tools.training.diagnostics.settings import DiagnosticsSettings
from tools.training.train_settings import TrainSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

RECIPES = Path(__file__).parent.parent / "recipes"

MAX_BYTES = 1 << 20

T = TypeVar("T", bound=Settings)


class WindowSettings(Settings, frozen=True, kw_only=True):
    """A decode every ``hop_s``; ``window_s`` is what a network without state sees each time."""

    hop_s: float = 0.08
    window_s: float | None = None


class SignalSettings(Settings, frozen=True, kw_only=True):
    """What is done to the samples before the network; ``line_hz`` is notched out of every band.

    Raises:
        ValueError: there is no band.
    """

    line_hz: float | None = 50.0
    bands: tuple[Band, ...] = (Band(low_hz=6.0, high_hz=32.0, order=3),)
    normalise: Normalise = Normalise(
        kind="running", time_constant_s=5.0, initial_scale_uv=5.0, clip=8.0
    )
    reference: Reference = Reference()

    def __post_init__(self) -> None:
        if not self.bands:
            raise ValueError("bands: got none, wanted one or more")


class LanguageModelSettings(Settings, frozen=True, kw_only=True):
    """The character n-gram model made of the training text where none is given."""

    order: int = 6
    prune: float = 0.5


class Recipe(Settings, frozen=True, kw_only=True):
    """The whole of a recipe. What belongs to a family or a head is checked when that is known."""

    family: str
    network: dict[str, Any] = msgspec.field(default_factory=dict)
    window: WindowSettings = WindowSettings()
    signal: SignalSettings = SignalSettings()
    data: DataTable = DataTable()
    training: TrainSettings = TrainSettings()
    learner: dict[str, Any] = msgspec.field(default_factory=dict)
    decoder: dict[str, Any] = msgspec.field(default_factory=dict)
    language_model: LanguageModelSettings = LanguageModelSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()
    keep_weights: bool = True


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe that ships as ``name``, or the one in the file ``name``.

    ``changes`` are values by dotted key, such as ``training.n_steps``, over those of the file.

    Raises:
        UsageError: no such recipe, not TOML, or a wrong key or value; names its path.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        raise UsageError(
            f"--recipe {name}: no such recipe, wanted one of {', '.join(recipe_names())}, or a "
            ".toml file"
        )
    raw = path.read_bytes()[: MAX_BYTES + 1]
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError(f"over {MAX_BYTES} bytes")
        found = tomllib.loads(raw.decode())
    except ValueError as error:  # tomllib's and Unicode's errors are of this class
        raise UsageError(f"{path.name}: cannot be read ({error})") from None
    for key, value in (changes or {}).items():
        _put(found, key, value)
    return convert(found, Recipe, where=path.name)


def parse_changes(texts: list[str]) -> dict[str, Any]:
    """Return ``KEY.PATH=VALUE`` texts as changes; a value is TOML, or else text as it stands.

    Raises:
        UsageError: a text of another form.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"\w+(\.\w+)*", key):
            raise UsageError(f"--set {text}: wanted KEY=VALUE, the key such as training.n_steps")
        try:
            changes[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            changes[key] = value
    return changes


def convert(raw: Any, kind: type[T], *, where: str, path: str = "") -> T:
    """Return ``raw``, the table at ``path`` of what ``where`` names, as settings of ``kind``.

    Raises:
        UsageError: an unknown key or a wrong value; says ``where`` and its path.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {_readable(str(error), path)}") from None


def _readable(message: str, path: str) -> str:
    """Return msgspec's ``what - at `$.place``` as ``path.place: what``."""
    what, _, place = message.partition(" - at `$")
    path = ".".join(filter(None, (path, place.rstrip("`").strip("."))))
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        return f"{'.'.join(filter(None, (path, unknown[1])))}: no such key"
    what = what[:1].lower() + what[1:]
    return f"{path}: {what}" if path else what


def _put(found: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for name in tables:
        found = found.setdefault(name, {})
        if not isinstance(found, dict):
            raise UsageError(f"--set {key}: {name} is no table")
    found[last] = value
