from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.messages import (
    Counters,
    EventMessage,
    Final,
    Health,
    Message,
    Rates,
)
from runtime.wire.subscriber import MAX_SESSIONS, Ledger
from tests.messages import make_final

if TYPE_CHECKING:
    from collections.abc import Callable


def final(seq: int, session: str = "t") -> Final:
    return make_final(session=session, seq=seq, index=seq, transcript_length=seq + 1)


def health(n_finals: int, session: str = "t") -> Health:
    return Health(
        stream="s",
        session=session,
        seq=0,
        host_ns=0,
        state="decoding",
        reason=None,
        buffer_fill=0.0,
        lag_ms=None,
        rates=Rates(nominal_hz=None, received_hz=0.0, decodes_hz=0.0),
        latency_ms={},
        over_budget=0.0,
        quality=(),
        counters=Counters(finals=n_finals),
    )


def journal_of(stored: dict[str, int]) -> Callable[[str, str, int], list[Final]]:
    """A daemon whose journal holds so many finals of each session."""
    return lambda stream, session, start: [
        final(seq, session) for seq in range(start, stored.get(session, 0))
    ]


def seen(messages: list[Message]) -> list[tuple[str, int]]:
    return [(m.session, m.seq) for m in messages if isinstance(m, Final)]


def test_what_is_missing_before_a_final_is_fetched() -> None:
    ledger = Ledger(journal_of({"t": 6}), history=False)
    assert seen(ledger.take(final(2))) == [("t", 2)]
    assert seen(ledger.take(final(5))) == [("t", 3), ("t", 4), ("t", 5)]
    assert ledger.n_missing == 0


def test_history_begins_with_the_first_final() -> None:
    ledger = Ledger(journal_of({"t": 3}), history=True)
    assert seen(ledger.take(final(2))) == [("t", 0), ("t", 1), ("t", 2)]


def test_history_comes_with_the_first_health() -> None:
    ledger = Ledger(journal_of({"t": 3}), history=True)
    assert seen(ledger.take(health(3))) == [("t", 0), ("t", 1), ("t", 2)]
    assert seen(ledger.take(health(3))) == []


def test_a_final_that_came_before_is_dropped() -> None:
    ledger = Ledger(journal_of({"t": 6}), history=False)
    for seq in (0, 5, 4, 5, 0):
        ledger.take(final(seq))
    assert ledger.n_duplicates == 3


def test_a_lost_last_final_comes_with_the_next_health() -> None:
    ledger = Ledger(journal_of({"t": 2}), history=False)
    ledger.take(final(0))
    assert seen(ledger.take(health(1))) == []
    assert seen(ledger.take(health(2))) == [("t", 1)]


def test_what_cannot_be_had_is_counted_and_the_rest_goes_on() -> None:
    ledger = Ledger(journal_of({}), history=False)
    assert seen(ledger.take(final(0))) == [("t", 0)]
    assert seen(ledger.take(final(4))) == [("t", 4)]
    assert ledger.n_missing == 3
    assert seen(ledger.take(final(5))) == [("t", 5)]
    assert ledger.n_missing == 3


def test_a_hole_in_the_journal_is_counted() -> None:
    ledger = Ledger(lambda *_: [final(1), final(3)], history=False)
    ledger.take(final(0))
    assert seen(ledger.take(final(3))) == [("t", 1), ("t", 3)]
    assert ledger.n_missing == 1


def test_a_new_session_brings_the_end_of_the_old_one_first() -> None:
    ledger = Ledger(journal_of({"t": 4, "u": 2}), history=False)
    ledger.take(final(1))
    assert seen(ledger.take(final(1, "u"))) == [("t", 2), ("t", 3), ("u", 0), ("u", 1)]
    assert seen(ledger.take(final(3))) == []
    assert seen(ledger.take(final(2, "u"))) == [("u", 2)]


def test_the_old_session_may_speak_again_before_the_new_one() -> None:
    ledger = Ledger(journal_of({"t": 3}), history=False)
    ledger.take(final(0))
    assert seen(ledger.take(final(1))) == [("t", 1)]
    assert seen(ledger.take(final(0, "u"))) == [("t", 2), ("u", 0)]


def test_other_messages_pass() -> None:
    ledger = Ledger(journal_of({}), history=False)
    event = EventMessage(stream="s", session="t", seq=0, host_ns=0, kind="gap", sample=1)
    assert ledger.take(event) == [event]


def test_memory_is_bounded() -> None:
    ledger = Ledger(journal_of({}), history=True)
    for n in range(3 * MAX_SESSIONS):
        ledger.take(final(0, str(n)))
    assert len(ledger._next) <= MAX_SESSIONS + 1


@given(st.lists(st.integers(0, 30), max_size=60), st.booleans())
def test_whatever_is_lost_or_repeated_each_final_is_seen_once(
    heard: list[int],
    history: bool,  # noqa: FBT001
) -> None:
    n_stored = 0

    def fetch(stream: str, session: str, start: int) -> list[Final]:
        return [final(seq) for seq in range(start, n_stored)]

    ledger = Ledger(fetch, history=history)
    order: list[tuple[str, int]] = []
    for seq in heard:
        n_stored = max(n_stored, seq + 1)
        order += seen(ledger.take(final(seq)))
    first = order[0][1] if order else 0
    assert order == [("t", seq) for seq in range(first, first + len(order))]
    assert not heard or order[-1][1] == max(heard)
    assert not history or first == 0
    assert ledger.n_missing == 0
