"""Where bundles live that are asked for by name."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConfigError
from runtime.places import state_folder


def store_folder() -> Path:
    """Return the folder of installed bundles."""
    return state_folder() / "models"


def bundle_path(name: str) -> Path:
    """Return the bundle that a configuration names: a path, or a name in the store.

    Raises:
        ConfigError: a bare name that the store does not have.
    """
    path = Path(name)
    if path.is_absolute() or "/" in name or path.exists():
        return path
    for candidate in (store_folder() / name, store_folder() / f"{name}.eegb"):
        if candidate.exists():
            return candidate
    raise ConfigError(
        f"stream.bundle: got {name!r},"
        f" wanted a folder, an .eegb file or a bundle in {store_folder()}"
    )
