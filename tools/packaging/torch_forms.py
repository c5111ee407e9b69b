"""A bundle's network as PyTorch's own files: ``.pt2``, and a library compiled ahead of time."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from models.export import quiet
from models.torch_backend import TorchModel
from models.weights import unpack
from pipeline.errors import EegscribeError

if TYPE_CHECKING:
    from pathlib import Path

    from models.bundle import Bundle

COMPILERS = ("c++", "g++", "clang++")


class ToolchainError(EegscribeError):
    """This machine lacks what the format needs."""


def eager(bundle: Bundle) -> tuple[Any, tuple[Any, ...], TorchModel]:
    """Return the network as a module, its inputs for one window, and both behind the port.

    Of a seq2seq network it is the encoder.

    Raises:
        BundleError: the bundle holds no weights.
    """
    import torch

    network: Any = unpack(bundle)
    network.eval()
    shape = bundle.manifest.model.input.shape
    samples = torch.zeros(shape)
    if bundle.manifest.step is not None:

        class Encoder(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.network = network

            def forward(self, samples: torch.Tensor) -> Any:
                return self.network.encode(samples)

        module: Any = Encoder().eval()
    else:
        module = network
    state = tuple(network.initial_state()) if bundle.manifest.model.state else ()
    return module, (samples, *state), TorchModel(module, state)


def write_pt2(bundle: Bundle, path: Path) -> TorchModel:
    """Write the network by ``torch.export``; return it as read back from the file.

    Raises:
        BundleError: the bundle holds no weights.
    """
    import torch

    module, inputs, _ = eager(bundle)
    with quiet(), torch.no_grad():
        torch.export.save(torch.export.export(module, inputs), path)
        back = torch.export.load(path).module()
    return TorchModel(back, tuple(inputs[1:]))


def write_aoti(bundle: Bundle, path: Path) -> TorchModel:
    """Write the network compiled for this machine's processor; return it as loaded back.

    Raises:
        BundleError: the bundle holds no weights.
        ToolchainError: there is no C++ compiler here, or it fails.
    """
    import torch

    compiler = os.environ.get("CXX") or next(filter(shutil.which, COMPILERS), None)
    if compiler is None or shutil.which(compiler) is None:
        raise ToolchainError(
            f"--format aoti: found no C++ compiler ({', '.join(COMPILERS)}, or $CXX),"
            " wanted one to compile the network with"
        )
    module, inputs, _ = eager(bundle)
    from torch._inductor.exc import InductorError

    with quiet(), torch.no_grad():
        program = torch.export.export(module, inputs)
        try:
            torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        except (InductorError, RuntimeError, OSError) as error:
            said = str(error).strip().splitlines()[0][:300]
            raise ToolchainError(f"--format aoti: compiling failed ({said})") from None
        back = torch._inductor.aoti_load_package(str(path))
    return TorchModel(back, tuple(inputs[1:]))
