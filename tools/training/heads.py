"""Which kind of head a family of networks has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.families import network_class
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from tools.training.head import Head


def head_of(family: str) -> Head:
    """Return the kind of head that networks of ``family`` have.

    Raises:
        UsageError: no such family, or one that is trained here by nobody.
    """
    from models.network import CtcNetwork
    from models.seq2seq import Seq2SeqNetwork
    from tools.training.ctc_head import CtcHead
    from tools.training.seq2seq_head import Seq2SeqHead

    made = network_class(family)
    if issubclass(made, CtcNetwork):
        return CtcHead()
    if issubclass(made, Seq2SeqNetwork):
        return Seq2SeqHead()
    raise UsageError(f"family: got {family!r}, wanted a CtcNetwork or a Seq2SeqNetwork")
