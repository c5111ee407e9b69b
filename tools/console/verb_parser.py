"""A parser that takes recordings before, between and behind a verb's options.

``bench b.eegb --blocks 4 monday.xdf`` is what people type. By itself argparse takes all operands of
a verb from the first run of them, so that one behind an option is "unrecognized".
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class VerbParser(argparse.ArgumentParser):
    """Parser of one verb.

    The order stays as it is of verbs within a verb, and where an operand excludes an option.
    """

    _is_within = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse operands wherever they stand; as the class above does otherwise."""
        operands = [action for action in self._actions if not action.option_strings]
        is_exclusive = any(
            operand in group._group_actions
            for group in self._mutually_exclusive_groups
            for operand in operands
        )
        words = sys.argv[1:] if args is None else args
        asks = not {"-h", "--help"}.isdisjoint(words)  # operands have no defaults to tell meanwhile
        if self._is_within or asks or is_exclusive or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._is_within = True  # the call below comes back here, twice
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_within = False
