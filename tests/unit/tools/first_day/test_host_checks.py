from __future__ import annotations

import socket

import pytest

from tools.first_day import host_checks
from tools.first_day.host_checks import Finding, cpu_findings, host_findings, multicast_finding
from tools.verbs.check import exit_code


def levels(flags: set[str], machine: str = "x86_64") -> list[str]:
    return [found.level for found in cpu_findings(frozenset(flags), machine=machine)][1:]


def test_what_the_processor_lacks_is_a_warning() -> None:
    assert levels({"avx2", "avx_vnni"}) == ["ok", "ok"]
    assert levels({"avx2", "avx512_vnni"}) == ["ok", "ok"]
    assert levels({"avx2"}) == ["ok", "warning"]
    assert levels({"sse2"}) == ["warning", "warning"]
    assert levels(set()) == ["warning"]
    assert levels(set(), "aarch64") == []


def test_multicast_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(group: str) -> bool:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(host_checks, "_hears_itself", unreachable)
    finding = multicast_finding()
    assert (finding.level, finding.code) == ("warning", 0)
    assert "Network is unreachable" in finding.message
    assert "KnownPeers" in finding.message
    monkeypatch.setattr(host_checks, "_hears_itself", lambda group: False)
    assert "nothing arrived" in multicast_finding().message
    monkeypatch.setattr(host_checks, "_hears_itself", lambda group: True)
    assert multicast_finding().level == "ok"


def test_this_host_is_judged_whole() -> None:
    areas = [finding.area for finding in host_findings()]
    assert set(areas) == {"liblsl", "multicast", "cpu", "gpu"}


def test_nothing_that_is_no_group_can_be_joined() -> None:
    assert multicast_finding("10.0.0.1").level == "warning"
    with pytest.raises(OSError, match="illegal IP"):
        socket.inet_aton("nowhere")


@pytest.mark.parametrize(
    ("codes", "first"),
    [([], 0), ([0, 0], 0), ([69], 69), ([69, 65], 65), ([69, 65, 78], 78), ([1], 1), ([1, 69], 69)],
)
def test_the_exit_code_is_the_first_that_applies(codes: list[int], first: int) -> None:
    found = [Finding("problem" if code else "warning", "x", "y", code) for code in codes]
    assert exit_code(found) == first
