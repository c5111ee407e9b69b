from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.profiling.stages import OF_A_HOP, STAGES, StageClock

turns = st.lists(st.tuples(st.sampled_from(STAGES), st.integers(0, 10**9)))


@given(turns)
def test_whatever_is_entered_adds_up_to_what_passed(order: list[tuple[str, int]]) -> None:
    now = [7]
    clock = StageClock(now_ns=lambda: now[0])
    clock.start("read")
    expected = dict.fromkeys(STAGES, 0)
    stage = "read"
    for following, passed in order:
        now[0] += passed
        expected[stage] += passed  # type: ignore[index]
        assert clock.enter(following) == stage  # type: ignore[arg-type]
        stage = following
    assert clock.spent_ns == expected
    assert sum(clock.spent_ns.values()) == now[0] - 7
    assert clock.hop_ns() == tuple(clock.spent_ns[name] for name in OF_A_HOP)


def test_a_new_start_forgets() -> None:
    now = [0]
    clock = StageClock(now_ns=lambda: now[0])
    now[0] = 5
    clock.enter("model")
    clock.start("other")
    assert not any(clock.spent_ns.values())
