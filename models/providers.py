"""Which ONNX Runtime execution providers truly work here, found without error noise.

The GPU build of ONNX Runtime lists CUDA and TensorRT on every machine, and asking for one that
cannot load prints errors. So the driver is asked first, then the provider's own library is opened.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import onnxruntime as ort

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

ProviderChoice = Literal["auto", "cpu", "cuda", "tensorrt"]

_CPU = "CPUExecutionProvider"
_NAMES = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_LIBRARIES = {
    "cuda": "libonnxruntime_providers_cuda.so",
    "tensorrt": "libonnxruntime_providers_tensorrt.so",
}

ort.set_default_logger_severity(3)  # it warns on stderr of every GPU it does not find


@cache
def n_cuda_devices() -> int:
    """Return how many CUDA devices the driver has; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


@cache
def missing(provider: Literal["cuda", "tensorrt"]) -> str | None:
    """Return why ``provider`` does not work here, in words, or None where it does."""
    if _NAMES[provider] not in ort.get_available_providers():
        return f"this ONNX Runtime {ort.__version__} is built without it"
    if not n_cuda_devices():
        return "no CUDA driver or device"
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    path = Path(ort.__file__).parent / "capi" / _LIBRARIES[provider]
    try:
        # Opened on its own it lacks symbols that ONNX Runtime provides; its needs are what matters.
        ctypes.CDLL(
            str(path.with_name("libonnxruntime_providers_shared.so")), mode=ctypes.RTLD_GLOBAL
        )
        ctypes.CDLL(str(path))
    except OSError as error:
        return str(error)
    return None


def choose_providers(choice: ProviderChoice) -> Sequence[str]:
    """Return the providers to open a session with, best first, the CPU always last.

    Raises:
        ConfigError: the one asked for by name does not work here.
    """
    if choice == "cpu":
        return [_CPU]
    if choice == "auto":
        return [_CPU] if missing("cuda") else [_NAMES["cuda"], _CPU]
    reason = missing(choice)
    if reason is not None:
        raise ConfigError(f"model.providers: got {choice!r}, which does not work here: {reason}")
    return (
        [_NAMES[choice], _NAMES["cuda"], _CPU] if choice == "tensorrt" else [_NAMES[choice], _CPU]
    )
