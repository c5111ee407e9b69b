"""What the host itself lacks: liblsl, multicast, processor features, GPU providers."""

from __future__ import annotations

import errno
import os
import platform
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_LSL = 116
MULTICAST_GROUP = "239.255.172.215"
"""One of the groups in which liblsl looks for streams on other machines (its site scope)."""

MULTICAST_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. ``code`` is the exit code that a problem asks for, else 0."""

    level: Literal["ok", "warning", "problem"]
    area: str
    message: str
    code: int = 0


def host_findings() -> Iterator[Finding]:
    """Yield what is found of this host."""
    yield from lsl_findings()
    yield multicast_finding()
    yield from cpu_findings(_cpu_flags(), machine=platform.machine())
    yield from gpu_findings()


def lsl_findings() -> Iterator[Finding]:
    """Yield whether liblsl is here, and new enough."""
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        yield Finding("problem", "liblsl", f"cannot be loaded ({error}), wanted pylsl with it", 69)
        return
    version = pylsl.library_version()
    words = f"{version // 100}.{version % 100}"
    if version < OLDEST_LSL:
        yield Finding("problem", "liblsl", f"got {words}, wanted 1.16 or newer", 69)
    else:
        yield Finding("ok", "liblsl", words)


def multicast_finding(group: str = MULTICAST_GROUP) -> Finding:
    """Send one datagram to ourselves by multicast, as LSL does to find streams."""
    try:
        arrived = _hears_itself(group)
        why = "nothing arrived"
    except OSError as error:
        arrived, why = False, error.strerror or errno.errorcode.get(error.errno or 0, "failed")
    if arrived:
        return Finding("ok", "multicast", "works on this host")
    return Finding(
        "warning",
        "multicast",
        f"does not work here ({why}): streams of other machines are found only if lsl_api.cfg "
        "names them as KnownPeers",
    )


def _hears_itself(group: str) -> bool:
    """Return whether a datagram to ``group`` comes back."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ear.bind(("", 0))
        member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton("0.0.0.0"))  # noqa: S104 - any interface
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        ear.settimeout(MULTICAST_WITHIN_S)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        token = os.urandom(16)
        mouth.sendto(token, (group, ear.getsockname()[1]))
        try:
            return ear.recv(64) == token
        except TimeoutError:
            return False


def cpu_findings(flags: frozenset[str], *, machine: str) -> Iterator[Finding]:
    """Yield what the processor can do for models; ``flags`` as in ``/proc/cpuinfo``."""
    n_cores = os.cpu_count() or 1
    yield Finding("ok" if n_cores > 1 else "warning", "cpu", f"{n_cores} cores of {machine}")
    if machine not in ("x86_64", "AMD64"):
        return
    if not flags:
        yield Finding("warning", "cpu", "its features could not be read")
        return
    if "avx2" in flags:
        yield Finding("ok", "cpu", "AVX2")
    else:
        yield Finding("warning", "cpu", "no AVX2: models run several times slower than elsewhere")
    if flags & {"avx512_vnni", "avx_vnni"}:
        yield Finding("ok", "cpu", "VNNI")
    else:
        yield Finding("warning", "cpu", "no VNNI: int8 bundles are smaller here, but no faster")


def gpu_findings() -> Iterator[Finding]:
    """Yield which GPU providers of ONNX Runtime truly load; the CPU does for every bundle."""
    from models.providers import missing

    cuda, tensorrt = missing("cuda"), missing("tensorrt")
    for title, reason in (("CUDA", cuda), ("TensorRT", tensorrt)):
        words = "works" if reason is None else f"not here ({reason}); the CPU is used"
        yield Finding("ok", "gpu", f"{title}: {words}")


def _cpu_flags() -> frozenset[str]:
    """Return the flags of the first core, none where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), ":")
    return frozenset(flags.partition(":")[2].split())
