"""A parser that takes recordings before, between and behind a verb's options.

``bench b.eegb --blocks 4 monday.xdf`` is what people type. By itself argparse takes all operands of
a verb from the first run of them, so that one behind an option is "unrecognized".
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class VerbParser(argparse.ArgumentParser):
    """Parser of one verb; of verbs within a verb it leaves the order as it is."""

    _is_within = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse operands wherever they stand; as the class above does otherwise."""
        if self._is_within or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._is_within = True  # the call below comes back here, twice
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_within = False
