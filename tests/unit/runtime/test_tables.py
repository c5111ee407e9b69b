from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from runtime.tables import Table, read_table, shown

if TYPE_CHECKING:
    from collections.abc import Iterator


class Inner(Table, frozen=True):
    length_s: Annotated[float, Meta(gt=0, le=9, description="seconds, 0 to 9")] = 1.0
    start_s: float = 0.0

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.start_s > self.length_s:
            yield "start_s", "got more than length_s"


class Outer(Table, frozen=True):
    window: Inner = Inner()
    maybe: Inner | None = None
    rows: tuple[Inner, ...] = msgspec.field(name="row", default=())


def no_hook(kind: type, value: Any) -> Any:
    raise ValueError


def problems(table: object) -> list[str]:
    return read_table(table, Outer, where="", hook=no_hook)[1]


def test_problems_of_combinations_carry_their_path() -> None:
    assert problems({"window": {"start_s": 2}}) == ["window.start_s: got more than length_s"]
    assert problems({"row": [{}, {"start_s": 2}]}) == ["row[1].start_s: got more than length_s"]


def test_a_near_miss_is_named() -> None:
    assert problems({"windw": 1}) == [
        "windw: got an unknown key, wanted window (did you mean that?)"
    ]
    assert problems({"window": {"zzz": 1}}) == [
        "window.zzz: got an unknown key, wanted one of length_s, start_s"
    ]


def test_one_table_is_as_good_as_a_list_of_one() -> None:
    one, _ = read_table({"row": {"length_s": 2}}, Outer, where="", hook=no_hook)
    many, _ = read_table({"row": [{"length_s": 2}]}, Outer, where="", hook=no_hook)
    assert one == many == Outer(rows=(Inner(length_s=2.0),))
    assert problems({"row": []}) == ["row: got none, wanted at least one table"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["window", "row", "maybe", "length_s", "start_s", "x", "a\nb"]), inner
        )
    ),
)


@given(values)
def test_anything_is_read_or_has_problems(table: Any) -> None:
    made, wrong = read_table(table, Outer, where="", hook=no_hook)
    assert (made is None) == bool(wrong)
    assert all("\n" not in sentence for sentence in wrong)


@given(st.text(min_size=100) | st.integers(min_value=10**90))
def test_long_values_are_shown_short(value: object) -> None:
    assert len(shown(value)) <= 80
