"""A bundle on the command line: a folder, an ``.eegb`` file, or a name or digest in the store."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import BundleError
from runtime.store import SUFFIX, find, store_folder

BUNDLE_HELP = "folder, .eegb file, or a name or digest in the store"


def bundle_argument(text: str) -> Path:
    """Return where the bundle is; for argparse's ``type``.

    A path that exists goes before a name.

    Raises:
        BundleError: a bare name that is no file and not in the store.
    """
    path = Path(text)
    if "/" in text or text.endswith(SUFFIX) or path.exists():
        return path
    found = find(text)
    if found is None:
        raise BundleError(
            f"{text}: no such bundle, wanted a folder, an .eegb file or one in {store_folder()}"
        )
    return found
