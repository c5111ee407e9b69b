from hypothesis import given, settings
from hypothesis import strategies as st

from models.quantization.mixture import BYTES, Sensitivity, choose_bits, n_bytes

LAYERS = {
    "small and touchy": Sensitivity(100, {16: 0.0, 8: 0.5, 4: 5.0}),
    "large and calm": Sensitivity(10_000, {16: 0.0, 8: 0.001, 4: 0.002}),
}


def test_a_touchy_layer_keeps_its_bits_and_a_calm_one_pays():
    found = choose_bits(LAYERS, most_bytes=0.75 * 10_100)
    assert found == {"small and touchy": 16, "large and calm": 4}


def test_with_room_for_all_nothing_is_lost():
    assert set(choose_bits(LAYERS, most_bytes=1e9).values()) == {16}


def test_what_cannot_fit_is_four_bits_throughout():
    assert set(choose_bits(LAYERS, most_bytes=1).values()) == {4}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8
    ),
    st.floats(0.54, 2.0),
)
def test_what_can_fit_fits(rows, share):
    layers = {
        str(k): Sensitivity(n, {16: 0.0, 8: eight, 4: eight + four})
        for k, (n, eight, four) in enumerate(rows)
    }
    most = share * sum(one.n_weights for one in layers.values())
    assert min(BYTES.values()) < 0.54
    assert n_bytes(layers, choose_bits(layers, most_bytes=most)) <= most
