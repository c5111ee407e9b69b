"""What can run a bundle's model: each backend behind the same small port, or why it is not here.

A backend that this machine or this bundle cannot have raises one of our errors, which becomes a
row of the table. The bundle's own file on the CPU is the one that all others are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.bundle import Bundle
from models.onnx_backend import REFUSALS, OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session
from models.providers import missing
from pipeline.errors import BundleError, EegscribeError, UsageError
from runtime.engine import Engine
from tools.packaging.torch_forms import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from models.model import Model
    from models.providers import ProviderChoice
    from models.torch_backend import Compiled, Mode
    from pipeline.seq2seq import Stepper
    from tools.benchmarking.material import Material

N_WARM_UP = 10
COMPILED = "torch-compiled"


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend that ran: ``stepper`` of a seq2seq head, ``notes`` for whoever reads the row."""

    model: Model
    stepper: Stepper | None = None
    size_bytes: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What a backend is made of; ``folder`` is its own, and stays as long as it runs."""

    bundle: Bundle
    material: Material
    folder: Path


@dataclass(frozen=True, slots=True)
class BackedEngine(Engine):
    """An engine whose model runs on another backend; one chain at a time."""

    opened: Opened | None = None

    def model(self) -> Model:
        """Return the backend's model with a fresh state."""
        model = self._backend.model
        model.reset()
        return model

    def stepper(self) -> Stepper | None:
        """Return the backend's step decoder."""
        return self._backend.stepper

    @property
    def _backend(self) -> Opened:
        if self.opened is None:
            raise ValueError("opened: must be a backend")
        return self.opened


def backed(engine: Engine, opened: Opened) -> BackedEngine:
    """Return ``engine`` on another backend."""
    own = {field.name: getattr(engine, field.name) for field in fields(Engine)}
    return BackedEngine(**own, opened=opened)


def own_backend(bundle: Bundle) -> str:
    """Return the name of the backend that is the bundle as it is."""
    return f"onnx-{bundle.manifest.model.precision}"


def chosen(text: str) -> tuple[str, ...]:
    """Return the backends that ``--backends`` names.

    Raises:
        UsageError: there is none of a name.
    """
    if text == "all":
        return tuple(BACKENDS)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in BACKENDS:
            raise UsageError(
                f"--backends: got {name!r}, wanted all, or some of {', '.join(BACKENDS)}"
            )
    return names


def names_for(bundle: Bundle, asked: Sequence[str]) -> list[str]:
    """Return what is benched of a bundle: itself first, then what was asked for."""
    own = own_backend(bundle)
    return [own, *(name for name in asked if name != own)]


def open_backend(name: str, given: Given) -> Opened | str:
    """Return a backend that ran, or in a sentence why it does not run here."""
    try:
        is_own = name == own_backend(given.bundle)
        return _warm(_onnx(given.bundle) if is_own else BACKENDS[name](given), given)
    except EegscribeError as error:
        return str(error).removeprefix(f"--format {name.rpartition('-')[2]}: ")
    except ModuleNotFoundError as error:
        return f"the package {error.name!r} is not installed"
    except (*REFUSALS, OSError) as error:  # what a runtime says of a model or of the machine
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[0][:200] if lines else 'no reason given'}"


def _warm(opened: Opened, given: Given) -> Opened:
    """Run it until first calls are paid for; add what is known only then."""
    for k in range(N_WARM_UP):
        output = opened.model.run(given.material.windows[k % len(given.material.windows)])
        if opened.stepper is not None and k < 2:
            tokens = np.zeros(opened.stepper.n_rows, np.int64)
            opened.stepper.begin(output[np.newaxis])
            for position in range(min(3, opened.stepper.max_symbols)):
                opened.stepper.step(tokens, np.arange(len(tokens)), position)
    opened.model.reset()
    return opened


def _onnx(bundle: Bundle, providers: ProviderChoice = "cpu") -> Opened:
    manifest = bundle.manifest
    paths = [manifest.model.path]
    stepper = None
    if manifest.step is not None:
        paths.append(manifest.step.path)
        session = open_step_session(bundle, providers=providers)
        stepper = OnnxStepper(session, manifest.step, manifest.model)
    model = OnnxModel(open_session(bundle, providers=providers), manifest.model)
    return Opened(model, stepper, sum(len(bundle.files[path]) for path in paths))


def _check_float(bundle: Bundle) -> None:
    precision = bundle.manifest.model.precision
    if precision != "float32":
        raise BundleError(f"the bundle is {precision}, and what it was made of is not in it")


def _float32(given: Given) -> Opened:
    _check_float(given.bundle)
    return _onnx(given.bundle)


def _float16(given: Given) -> Opened:
    from tools.packaging.export_bundle import remake

    _check_float(given.bundle)
    name = given.bundle.manifest.name
    made = remake(
        given.bundle, given.material.windows, precision="float16", level="basic", name=name
    )
    how = {"all": (), "products": ("only products and recurrent layers are in 16 bit",)}
    notes = how.get(made.how or "all", ("only the file is in 16 bit, computed in float32",))
    return replace(_onnx(Bundle(made.manifest, "", made.files)), notes=notes)


def _int8(given: Given) -> Opened:
    from models.quantization.probe import Probe
    from tools.compression.quantizing.bundle import quantized_bundle
    from tools.compression.quantizing.files import files_of, uniform

    _check_float(given.bundle)
    manifest, files = given.bundle.manifest, files_of(given.bundle)
    measured = given.material.measured
    ranges = Probe(manifest.model, manifest.step, measured).ranges(files) if measured else {}
    notes = () if measured else ("ranges row by row, as there is nothing to measure them on",)
    one = uniform(files, 8, ranges, how="8 bits")
    made = quantized_bundle(manifest.name, given.bundle, one.files, one.bits, how=one.how)
    return replace(_onnx(Bundle(made[0], "", made[1])), notes=notes)


def _check_here(provider: Literal["cuda", "tensorrt"]) -> None:
    reason = missing(provider)
    if reason is not None:
        raise ToolchainError(reason)


def _cuda(given: Given) -> Opened:
    _check_here("cuda")
    return _onnx(given.bundle, "cuda")


def _tensorrt(given: Given) -> Opened:
    from tools.packaging.tensorrt_cache import write_engines

    _check_here("tensorrt")
    engines = write_engines(given.bundle, given.folder)
    if given.bundle.manifest.step is None:
        return Opened(engines)
    return replace(_onnx(given.bundle, "tensorrt"), model=engines)


def _torch_eager(given: Given) -> Opened:
    from models.network_stepper import NetworkStepper
    from tools.packaging.torch_forms import eager

    _one_thread()
    module, _, model = eager(given.bundle)
    step, stepper = given.bundle.manifest.step, None
    if step is not None:
        stepper = NetworkStepper(module.network, n_rows=step.n_rows)
    return Opened(model, stepper, _n_bytes(module))


def _torch_compiled(mode: Mode) -> Callable[[Given], Opened]:
    def opener(given: Given) -> Opened:
        from models.network_stepper import NetworkStepper
        from models.torch_backend import Compiled, TorchModel
        from tools.packaging.torch_forms import eager

        _one_thread()
        module, (_, *state), _ = eager(given.bundle)
        parts = [Compiled(module, mode=mode)]
        step, stepper = given.bundle.manifest.step, None
        if step is not None:
            parts.append(Compiled(module.network.step, mode=mode))
            module.network.step = parts[1]
            stepper = NetworkStepper(module.network, n_rows=step.n_rows)
        opened = Opened(TorchModel(parts[0], tuple(state)), stepper, _n_bytes(module))
        return replace(_warm(opened, given), notes=_compiled_notes(parts))

    return opener


def _compiled_notes(parts: Sequence[Compiled]) -> tuple[str, ...]:
    notes = [f"fell back to eager: {part.fallback}" for part in parts if part.fallback]
    n_breaks = sum(part.n_breaks for part in parts)
    if n_breaks and not notes:
        notes.append(f"leaves compiled code for Python {n_breaks} times")
    return tuple(dict.fromkeys(notes))


def _torch_file(form: str) -> Callable[[Given], Opened]:
    def opener(given: Given) -> Opened:
        from tools.packaging import torch_forms

        if given.bundle.manifest.step is not None:
            raise BundleError(
                "an exported file holds the encoder alone, and this head writes with a step decoder"
            )
        _one_thread()
        path = given.folder / f"{form}.pt2"
        write = torch_forms.write_pt2 if form == "pt2" else torch_forms.write_aoti
        model = write(given.bundle, path)
        return Opened(model, None, path.stat().st_size)

    return opener


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _n_bytes(module: Any) -> int:
    return sum(tensor.nbytes for tensor in module.state_dict().values())


BACKENDS: dict[str, Callable[[Given], Opened]] = {
    "onnx-float32": _float32,
    "onnx-float16": _float16,
    "onnx-int8": _int8,
    "onnx-cuda": _cuda,
    "onnx-tensorrt": _tensorrt,
    "torch-eager": _torch_eager,
    f"{COMPILED}-default": _torch_compiled("default"),
    f"{COMPILED}-reduce-overhead": _torch_compiled("reduce-overhead"),
    f"{COMPILED}-max-autotune": _torch_compiled("max-autotune"),
    "torch-export": _torch_file("pt2"),
    "torch-aoti": _torch_file("aoti"),
}
"""By name; a bundle of another precision is benched as it is, whatever is asked."""
