"""Where a training runs: Fabric with our names for precision, devices and processes."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lightning_fabric import Fabric

    from tools.training.train_settings import Precision

Accelerator = Literal["cpu", "cuda"]

PRECISIONS: dict[Precision, Any] = {"32": "32-true"}


def make_fabric(
    precision: Precision, *, accelerator: Accelerator = "cpu", n_devices: int = 1
) -> Fabric:
    """Return a Fabric, launched where it is one process; else :func:`launch` it.

    Raises:
        UsageError: the machine lacks what is asked for.
    """
    import torch
    from lightning_fabric import Fabric

    n_there = torch.cuda.device_count() if accelerator == "cuda" else n_devices
    if n_devices > n_there:
        raise UsageError(f"--devices {n_devices}: this machine has {n_there} of {accelerator}")
    if precision == "16-mixed" and accelerator == "cpu":
        raise UsageError("training.precision: 16-mixed wants --accelerator cuda; bf16-mixed or 32")
    with quiet():
        fabric = Fabric(
            accelerator=accelerator,
            devices=n_devices,
            strategy="ddp_spawn" if n_devices > 1 else "auto",
            precision=PRECISIONS.get(precision, precision),
        )
        if n_devices == 1:
            fabric.launch()
    return fabric


def launch(fabric: Fabric, work: Callable[[Fabric], None]) -> None:
    """Run ``work`` in every process; it travels to them by copy."""
    with quiet():
        fabric.launch(work)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Fabric's chatter off stderr."""
    log = logging.getLogger("lightning_fabric")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
