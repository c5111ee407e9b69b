"""Characters that a terminal obeys in place of showing them, wherever a text came from.

Control characters (escape sequences begin with one) and those that turn the direction of writing:
with them the name in a foreign file could write over what stands on the screen. So are what Python
makes of bytes in a file's name that are no UTF-8: nothing can print or store them.
"""

from __future__ import annotations

import re
from typing import Any

_CONTROLS = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"
_TURNS = "\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069"
_OBEYED = f"{_CONTROLS}{_TURNS}\\ud800-\\udfff"
_IN_TEXT = re.compile(f"[{_OBEYED}]")
_IN_NAME = re.compile(f"[{_OBEYED}\\t\\n]")


OF_LINES = (".vocabulary[", ".command", ".recipe", ".scores", ".settings", ".lm_symbols")
"""Where in a manifest a text may have several lines; elsewhere it is a name."""


def is_plain(text: str, *, is_name: bool = False) -> bool:
    """Return whether a terminal shows all of ``text``; a name has no line ends or tabs either."""
    return (_IN_NAME if is_name else _IN_TEXT).search(text) is None


def shown(text: str, *, is_name: bool = False) -> str:
    r"""Return ``text`` with what a terminal would obey written out, such as ``\x1b``."""
    unseen = _IN_NAME if is_name else _IN_TEXT
    return unseen.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def check_plain(found: Any, *, where: str = "$") -> None:
    """Refuse a decoded manifest in which a text is not plain.

    Raises:
        ValueError: says where.
    """
    if isinstance(found, str):
        if not is_plain(found, is_name=not any(part in where for part in OF_LINES)):
            raise ValueError(f"{found!r} has control characters, wanted plain text - at `{where}`")
    elif isinstance(found, list):
        for k, item in enumerate(found):
            check_plain(item, where=f"{where}[{k}]")
    elif isinstance(found, dict):
        for key, item in found.items():
            if not is_plain(key, is_name=True):
                raise ValueError(
                    f"{key!r} has control characters, wanted a plain key - at `{where}`"
                )
            check_plain(item, where=f"{where}.{key}")
