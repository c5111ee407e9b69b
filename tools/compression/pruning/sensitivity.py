"""How much each layer can lose: loss and errors against the share that nothing reads any more.

One layer at a time, everything else whole, nothing trained after it. Of the units that go, the
least important go first, so that a curve tells what a pruning would do there.
"""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from pipeline.spec import Settings
from runtime.whole_file import write_whole
from tools.compression.pruning.structured import choose, deafen
from tools.console.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.compression.pruning.prunable import Prunable
    from tools.training.learner import Learner


FIGURES = {
    "cer": "character error rate (greedy)",
    "error": "share of windows read wrong",
    "loss": "loss of the text or the window",
}
"""What curves are drawn of, where it is known; the first tells most."""


class Curve(Settings, frozen=True, kw_only=True):
    """What a layer's loss was at each share; ``figures`` are by name, one value a share.

    ``n_parameters`` serve the layer's units, whole.
    """

    kind: str
    layer: str
    n_units: int
    n_parameters: int
    amounts: tuple[float, ...]
    figures: dict[str, tuple[float, ...]]


class Sensitivity(Settings, frozen=True, kw_only=True):
    """All curves, and the figures of the whole network on the same batches."""

    bundle: str
    sha256: str
    data: str
    importance: str
    n_batches: int
    whole: dict[str, float]
    curves: tuple[Curve, ...]


def measure(original: Prunable, shares: tuple[float, ...]) -> Sensitivity:
    """Return the curves of every layer, on the batches behind those that calibrated importance.

    Args:
        original: nothing of it changes.
        shares: of a layer's units, ascending.
    """
    scores = original.scores(original.network)
    batches = original.held_batches()
    whole = _figures(original, original.network, batches)
    curves, n_done = [], 0
    with progress("sensitivity", total=len(original.groups) * len(shares)) as bar:
        for group in original.groups:
            found: list[dict[str, float]] = []
            for share in shares:
                kept = choose([group], scores, {group.kind: share})
                deaf = copy.deepcopy(original.network)
                deafen(deaf, [group], kept)
                found.append(_figures(original, deaf, batches))
                n_done += 1
                bar(n_done)
            weights = dict(original.network.named_parameters())
            curves.append(
                Curve(
                    kind=group.kind,
                    layer=group.name,
                    n_units=group.n_units,
                    n_parameters=sum(
                        place.view(weights[place.name], group.n_units).numel()
                        for place in group.places
                        if place.name in weights  # else a buffer, see Place
                    ),
                    amounts=shares,
                    figures={name: tuple(each[name] for each in found) for name in whole},
                )
            )
    return Sensitivity(
        bundle=original.bundle.manifest.name,
        sha256=original.bundle.sha256,
        data=original.lessons.kind,
        importance=original.importance,
        n_batches=len(batches),
        whole=whole,
        curves=tuple(curves),
    )


def _figures(original: Prunable, network: Any, batches: Sequence[Any]) -> dict[str, float]:
    """Return the means of a validation's figures over the batches: loss, and CER where known."""
    learner: Learner = original.tuner.learner(network, is_taught=False)
    learner.eval()
    found: list[dict[str, float]] = []
    with torch.no_grad():
        for number, batch in enumerate(batches):
            torch.manual_seed(number)
            measured = learner.measure(batch)
            # Of the loss only the text counts: the head for timing is new and knows nothing.
            measured |= {k: v for k, v in learner.parts.items() if k in {"ctc", "text"}}
            found.append({name: float(value) for name, value in measured.items()})
    means = {name: sum(each[name] for each in found) / len(found) for name in found[0]}
    ctc = means.pop("ctc", means["loss"])  # beside a text's loss, CTC hears the encoder alone
    means["loss"] = means.pop("text", ctc)
    return means


def encode(found: Sensitivity) -> bytes:
    """Return the curves as JSON."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def lines(found: Sensitivity) -> list[str]:
    """Return the table: a row a layer, the figure that tells most at every share."""
    name = next(name for name in FIGURES if name in found.whole)
    shares = found.curves[0].amounts
    head = f"{name + ' without':30}" + "".join(f"{share:>9.0%}" for share in shares)
    rows = [
        f"{curve.layer + ' ' + curve.kind:30}"
        + "".join(f"{value:9.4f}" for value in curve.figures[name])
        for curve in found.curves
    ]
    return [f"whole: {name} {found.whole[name]:.4f}, {found.data}", "", head, *rows]


def plot(found: Sensitivity, path: Path) -> None:
    """Draw the curves, a panel a figure, into the PNG at ``path``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [name for name in FIGURES if name in found.whole]
    figure, panels = plt.subplots(
        1, len(names), figsize=(6.5 * len(names), 4.2), squeeze=False, layout="constrained"
    )
    for name, panel in zip(names, panels[0], strict=True):
        for number, curve in enumerate(found.curves):
            style = ("-", "--", ":", "-.")[number // 10 % 4]
            panel.plot(
                (0.0, *curve.amounts),
                (found.whole[name], *curve.figures[name]),
                style,
                marker=".",
                color=f"C{number % 10}",
                label=f"{curve.layer} {curve.kind}",
            )
        panel.set_xlabel("share of the layer's units removed, nothing trained after it")
        panel.set_ylabel(FIGURES[name])
        highest = panel.dataLim.y1 or 1.0  # nothing may be wrong anywhere
        panel.set_ylim(0.0, 1.06 * highest)  # curves that are flat are not cut off
        panel.grid(visible=True, alpha=0.3)
    panels[0][-1].legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    what = "simulated" if found.data == "simulated" else "recorded"
    figure.suptitle(f"{found.bundle}: what each layer can lose ({what}, {found.importance})")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=130)
    plt.close(figure)
    write_whole(path, drawn.getvalue())
