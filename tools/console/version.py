"""What is installed here: ``eegscribe --version``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def version_lines() -> list[str]:
    """Return one line each for eegscribe, Python, liblsl, ONNX Runtime and its providers."""
    import onnxruntime
    import pylsl

    from models.providers import missing

    lsl = pylsl.library_version()
    lines = [
        f"eegscribe {version('eegscribe')}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"liblsl {lsl // 100}.{lsl % 100} (pylsl {version('pylsl')})",
        f"ONNX Runtime {onnxruntime.__version__}",
        "  CPU: works",
    ]
    for provider, title in (("cuda", "CUDA"), ("tensorrt", "TensorRT")):
        reason = missing(provider)
        lines.append(f"  {title}: {'works' if reason is None else f'not here ({reason})'}")
    return lines


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # of two builds of ONNX Runtime there is one
            continue
    return found
