from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.profiling.run import TURN_S, ProfileRun
from tests.messages import LATENCY


class Tracer:
    """Notes how it is switched; refuses what no tracer does."""

    def __init__(self) -> None:
        self.is_on = False
        self.n_turns = 0

    def enable(self) -> None:
        assert not self.is_on
        self.is_on = True
        self.n_turns += 1

    def disable(self) -> None:
        assert self.is_on
        self.is_on = False


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """A run, its clock and what it told."""

    def __init__(self, seconds: float, *, has_tracer: bool = True) -> None:
        self.clock = Clock()
        self.tracer = Tracer()
        self.n_ended = 0
        self.run = ProfileRun(
            seconds,
            budgets_ms={},
            tracer=self.tracer if has_tracer else None,  # type: ignore[arg-type]  # it is enough
            ended=self.end,
            now_s=self.clock,
        )

    def end(self) -> None:
        self.n_ended += 1

    def step(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.run.tick()


def test_turns_come_and_go_until_it_ends_by_itself() -> None:
    watched = Watched(60.0)
    states = []
    while not watched.n_ended:
        watched.step(0.1)
        states.append(watched.tracer.is_on)
        if not watched.n_ended:
            watched.run.add(LATENCY)
    assert 60.0 <= (watched.run.lasted_s or 0) < 60.2
    assert not watched.tracer.is_on
    assert abs(sum(states) / len(states) - 0.5) < 0.05
    assert abs(watched.run.traced_s - 0.1 * sum(states)) < 0.2
    assert abs(watched.tracer.n_turns - 60 / (2 * TURN_S)) < 7  # ticks come every 0.1 s
    traced = watched.run.rows.spreads(is_traced=True)["total"].n
    assert traced + watched.run.rows.spreads(is_traced=False)["total"].n == len(states) - 1
    assert traced == sum(states)


def test_a_short_one_has_turns_of_both_kinds() -> None:
    watched = Watched(0.4)
    states = []
    while not watched.n_ended:
        states.append(watched.tracer.is_on)
        watched.step(0.02)
    assert {True, False} == set(states)
    assert watched.tracer.n_turns == 2


def test_it_ends_before_the_next_step_when_asked() -> None:
    watched = Watched(60.0)
    watched.step(1.0)
    assert watched.tracer.is_on
    assert watched.run.left_s() == 59.0
    watched.run.ask_to_end()
    assert watched.tracer.is_on  # only the decode thread may switch its tracer
    watched.step(0.01)
    assert (watched.tracer.is_on, watched.n_ended) == (False, 1)
    watched.run.end()
    assert watched.n_ended == 1


def test_without_a_tracer_all_decodes_are_untraced() -> None:
    watched = Watched(10.0, has_tracer=False)
    for _ in range(50):
        watched.step(0.1)
        watched.run.add(LATENCY)
    assert watched.run.rows.spreads(is_traced=False)["total"].n == 50
    assert watched.run.traced_s == 0.0


@given(
    st.floats(0.01, 3600),
    st.lists(st.floats(0, 400), max_size=40),
    st.sampled_from(["wait", "ask", "end"]),
)
def test_however_time_goes_it_ends_once_and_switches_the_tracer_off(
    seconds: float, gaps: list[float], how: str
) -> None:
    watched = Watched(seconds)
    for gap in gaps:
        if watched.n_ended:
            break
        watched.step(gap)
    if not watched.n_ended:
        if how == "ask":
            watched.run.ask_to_end()
        if how == "end":
            watched.run.end()
        else:
            watched.step(0.0 if how == "ask" else 2 * seconds)
    assert watched.n_ended == 1
    assert not watched.tracer.is_on
    assert watched.run.lasted_s is not None
    assert 0.0 <= watched.run.traced_s <= watched.run.lasted_s + 1e-9
