"""TensorRT engines of a bundle, built beforehand: the first start on this GPU waits for none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime as ort

from models.onnx_backend import REFUSALS, OnnxModel
from models.providers import choose_providers, missing
from pipeline.errors import BundleError
from tools.packaging.torch_forms import ToolchainError

if TYPE_CHECKING:
    from pathlib import Path

    from models.bundle import Bundle


def write_engines(bundle: Bundle, folder: Path) -> OnnxModel:
    """Build the engines of ``model.onnx`` into ``folder``; return the model that runs on them.

    Raises:
        ToolchainError: TensorRT does not work here; says why.
        BundleError: it refuses the model.
    """
    reason = missing("tensorrt")
    if reason is not None:
        raise ToolchainError(
            f"--format tensorrt: does not work here ({reason}), wanted a machine with an NVIDIA"
            " GPU and TensorRT"
        )
    options = ort.SessionOptions()
    options.log_severity_level = 3
    cache = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(folder)}
    first, *others = choose_providers("tensorrt")
    model = bundle.manifest.model
    try:
        session = ort.InferenceSession(
            bundle.files[model.path], options, providers=[(first, cache), *others]
        )
        runs = OnnxModel(session, model)
        runs.warm_up()
    except REFUSALS as error:
        said = str(error).strip().splitlines()[0][:300]
        raise BundleError(f"{model.path}: TensorRT refuses it ({said})") from None
    return runs
