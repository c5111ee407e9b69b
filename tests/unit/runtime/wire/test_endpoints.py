from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.endpoints import endpoint_problem, parse_endpoint


@given(st.text(max_size=60))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for endpoint in (text, f"tcp://{text}", f"ipc://{text}", f"tcp://{text}:5557"):
        try:
            parse_endpoint(endpoint)
        except ValueError as error:
            assert str(error)
            problem = endpoint_problem(endpoint, has_curve=True, curve_key="k")
            assert problem is not None
            assert problem.startswith("got ")


@given(st.ip_addresses(v=4))
def test_only_loopback_addresses_are_local(address: object) -> None:
    local = parse_endpoint(f"tcp://{address}:1").is_local
    assert local == str(address).startswith("127.")


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("tcp://localhost:5557", "tcp://127.0.0.1:5557"),
        ("tcp://[::1]:*", "tcp://[::1]:*"),
        ("ipc:///run/x", "ipc:///run/x"),
        ("ipc://@x", "ipc://@x"),
    ],
)
def test_address_is_what_zeromq_binds(text: str, bound: str) -> None:
    assert parse_endpoint(text).address == bound


def test_brackets_hold_an_ipv6_address() -> None:
    with pytest.raises(ValueError, match="IPv6"):
        parse_endpoint("tcp://[zz]:5")
