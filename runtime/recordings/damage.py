"""What readers of other people's formats raise on files that are not whole: for one sentence."""

from __future__ import annotations

import struct
import zlib

DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NameError,  # a local variable never set, in scipy's reader of MATLAB files
    OSError,
    RuntimeError,
    SyntaxError,  # xml's ParseError too
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""Of pyxdf and its XML parser, of MNE and scipy, of numpy."""
