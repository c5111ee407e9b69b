"""What can be taken out of a network whole: hidden units, features, heads, inner channels.

A unit is a slice through several weights, and leaves all of them at once. Which slices these are is
a table a family, not a search through the graph: what recurrent layers, biases a head and memories
of several layers share cannot be found there (DECISIONS 24).

Groups of one kind stay of one size, so that what is left is a network of the same family with
other settings, and the state of all its layers one tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from models.network import NetworkSettings

EVEN = 8
"""Sizes of this many and more stay multiples of it, which is how wide processors compute."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the units of a group are in the weight ``name``: along ``axis``, from ``start`` on.

    There are ``blocks`` runs of all units, one behind the other; a unit is ``width`` wide in each.
    ``at`` chooses one entry of axis 0 first. A place that ``reads`` is where others take what the
    unit gives: zeros there, and the unit is as good as gone. A weight that is a buffer, as the
    statistics of a norm are, goes with its unit and is worth nothing.
    """

    name: str
    axis: int = 0
    start: int = 0
    blocks: int = 1
    width: int = 1
    at: int | None = None
    reads: bool = False

    def view(self, weight: Tensor, n_units: int) -> Tensor:
        """Return a view of ``weight`` with the units on axis 0, (n_units, …)."""
        axis = self.axis
        if self.at is not None:
            weight, axis = weight[self.at], axis - 1
        run = weight.narrow(axis, self.start, self.blocks * n_units * self.width)
        run = run.movedim(axis, 0)  # (blocks n_units width, …)
        return run.view(self.blocks, n_units, self.width, *run.shape[1:]).movedim(1, 0)


@dataclass(frozen=True, slots=True)
class Group:
    """``n_units`` of one layer that come and go alike; ``name`` says which layer."""

    kind: str
    name: str
    n_units: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """What can be removed: the groups, and the setting that counts the units of each kind."""

    groups: Callable[[Any], list[Group]]
    settings: dict[str, str]


def groups_of(family: str, settings: NetworkSettings) -> list[Group]:
    """Return every group of a network.

    Raises:
        BundleError: nothing is known of networks of this family.
    """
    return _known(family).groups(settings)


def kinds_of(family: str) -> tuple[str, ...]:
    """Return what kinds of units a family has; errors as of :func:`groups_of`."""
    return tuple(_known(family).settings)


def smaller(family: str, settings: NetworkSettings, sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return the settings of a network with so many units of each kind, as plain values."""
    changed: dict[str, Any] = msgspec.to_builtins(settings)
    if "heads" in sizes and settings.head_width is None:  # type: ignore[attr-defined]
        changed["head_width"] = changed["n_width"] // changed["n_heads"]
    names = _known(family).settings
    return changed | {names[kind]: n for kind, n in sizes.items()}


def n_left(n_units: int, amount: float) -> int:
    """Return how many of ``n_units`` stay when at least the share ``amount`` goes; one stays.

    From four times :data:`EVEN` units on what stays is a multiple of it.
    """
    stays = int(n_units * (1.0 - amount) + 1e-9)
    if n_units >= 4 * EVEN and amount > 0.0 and stays > EVEN:
        stays -= stays % EVEN
    return max(1, stays)


def is_known(family: str) -> bool:
    """Say whether it is known what can be removed of networks of a family."""
    return family in FAMILIES


def _known(family: str) -> Family:
    if not is_known(family):
        raise BundleError(
            f"network.family: got {family}, of which nothing is known that could be removed, wanted"
            f" one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[family]


def _linear(name: str, **where: Any) -> tuple[Place, Place]:
    """Return the rows of a map or a convolution with a bias that make the units."""
    return Place(f"{name}.weight", **where), Place(f"{name}.bias", **where)


def _reads(name: str, **where: Any) -> Place:
    """Return the columns of a map that read the units."""
    return Place(f"{name}.weight", axis=1, reads=True, **where)


def _batch_norm(name: str, **where: Any) -> tuple[Place, ...]:
    """Return what a batch norm has learnt and counted of the units."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return tuple(Place(f"{name}.{part}", **where) for part in parts)


def _front_end(n_features: int, *readers: Place, pairs: bool = True) -> Group:
    """Return the features: both filters of each pair, its normalisation, and who reads it."""
    return Group(
        "features",
        "filters",
        n_features,
        (*_linear("filters", blocks=2 if pairs else 1), *_linear("norm"), *readers),
    )


def _gru(name: str, end: str) -> tuple[Place, ...]:
    """Return the places of one layer's units inside a GRU: three gates' rows, and its own reads."""
    gates = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    rows = (Place(f"{name}.{gate}{end}", blocks=3) for gate in gates)
    return *rows, Place(f"{name}.weight_hh{end}", axis=1, reads=True)


def _gru_ctc(s: Any) -> list[Group]:
    first = Place("gru.weight_ih_l0", axis=1, reads=True)
    found = [_front_end(s.n_features, first, pairs=s.features == "power")]
    for k in range(s.n_layers):
        above = Place(f"gru.weight_ih_l{k + 1}", axis=1, reads=True)
        reader = above if k + 1 < s.n_layers else _reads("head")
        places = (*_gru("gru", f"_l{k}"), reader)
        found.append(Group("hidden", f"gru.{k}", s.n_hidden, places))
    return found


def _speech_gru(s: Any) -> list[Group]:
    """Return one group: all layers start from one ``h0``, so a unit leaves all of them at once."""
    places = [Place("h0", axis=2), _reads("head")]
    for k in range(s.n_layers):
        places += _gru("gru", f"_l{k}")
        if k:
            places.append(Place(f"gru.weight_ih_l{k}", axis=1, reads=True))
    return [Group("hidden", "gru", s.n_hidden, tuple(places))]


def _recurrent(s: Any) -> list[Group]:
    found = [
        _front_end(
            s.n_features,
            Place("gru.weight_ih_l0", axis=1, reads=True),
            Place("gru.weight_ih_l0_reverse", axis=1, reads=True),
        )
    ]
    for k in range(s.n_layers):
        for way, end in enumerate(("", "_reverse")):
            start = way * s.n_units
            readers = [
                Place(f"gru.weight_ih_l{k + 1}{other}", axis=1, start=start, reads=True)
                for other in ("", "_reverse")
            ]
            if k + 1 == s.n_layers:
                behind = s.n_decoder + start
                readers = [
                    _reads("key", start=start),
                    Place("cell.weight_ih", axis=1, start=behind, reads=True),
                    _reads("head", start=behind),
                ]
            places = (*_gru("gru", f"_l{k}{end}"), *readers)
            found.append(Group("hidden", f"gru.{k}{end}", s.n_units, places))
    writes = (*_gru("cell", ""), _reads("query"), _reads("head"))
    symbol = (Place("symbol.weight", axis=1), Place("cell.weight_ih", axis=1, reads=True))
    keys = (
        *_linear("key"),
        Place("query.weight"),
        Place("location.weight"),
        _reads("energy"),
    )
    return [
        *found,
        Group("decoder", "cell", s.n_decoder, writes),
        Group("decoder", "symbol", s.n_decoder, symbol),
        Group("keys", "key", s.n_keys, keys),
    ]


def _conformer_ctc(s: Any) -> list[Group]:
    found = [_front_end(s.n_features, _reads("widen"))]
    for k in range(s.n_blocks):
        block = f"blocks.{k}"
        attention, convolution = f"{block}.attention", f"{block}.convolution"
        heads = (
            *_linear(f"{attention}.project", blocks=3, width=s.of_head),
            Place(f"{attention}.bias"),
            _reads(f"{attention}.mix", width=s.of_head),
        )
        mixed = (
            *_linear(f"{convolution}.gate", blocks=2),
            *_linear(f"{convolution}.convolve"),
            *_linear(f"{convolution}.norm_inside"),
            _reads(f"{convolution}.mix"),
        )
        found += [
            Group("heads", attention, s.n_heads, heads),
            Group("channels", convolution, s.mixed, mixed),
        ]
        for name in (f"{block}.before", f"{block}.after"):
            inner = (*_linear(f"{name}.1"), _reads(f"{name}.4"))
            found.append(Group("inner", name, s.inner, inner))
    return found


def _transformer(s: Any) -> list[Group]:
    found = [_front_end(s.n_features, _reads("enter"))]
    width = s.n_asked // s.n_heads
    for part, n_layers in (("encoder", s.n_layers), ("decoder", s.n_decoder_layers)):
        for k in range(n_layers):
            block = f"{part}.{k}"
            heads = [
                *_linear(f"{block}.attention.query", width=width),
                *_linear(f"{block}.key_value", blocks=2, width=width),
                _reads(f"{block}.attention.out", width=width),
            ]
            if part == "encoder":
                heads.append(Place("distance", axis=1, at=k))
            inner = (*_linear(f"{block}.inner.1"), _reads(f"{block}.inner.3"))
            found += [
                Group("heads", f"{block}.attention", s.n_heads, tuple(heads)),
                Group("inner", f"{block}.inner", s.n_inner, inner),
            ]
    for k in range(s.n_decoder_layers):
        upward = f"decoder.{k}.memory_attention"
        heads_up = (
            *_linear(f"{upward}.query", width=width),
            *_linear("memory", start=2 * k * s.n_asked, blocks=2, width=width),
            Place("location.weight", start=k * s.n_heads),
            _reads(f"{upward}.out", width=width),
        )
        found.append(Group("heads", upward, s.n_heads, heads_up))
    return found


def _eegnet(s: Any) -> list[Group]:
    """Return the filters in time, each with its filters in space, and the pointwise outputs."""
    width = s.n_spatial
    temporal = (
        Place("layers.0.weight"),
        *_batch_norm("layers.1"),
        Place("layers.2.weight", width=width),
        *_batch_norm("layers.3", width=width),
        Place("layers.7.weight", width=width),
        _reads("layers.8", width=width),
    )
    pointwise = (
        Place("layers.8.weight"),
        *_batch_norm("layers.9"),
        _reads("head", width=s.n_left),  # flattened, an output's frames lie side by side
    )
    return [
        Group("temporal", "layers.0", s.n_temporal, temporal),
        Group("pointwise", "layers.8", s.n_pointwise, pointwise),
    ]


FAMILIES = {
    "eegnet": Family(_eegnet, {"temporal": "n_temporal", "pointwise": "n_pointwise"}),
    "gru-ctc": Family(_gru_ctc, {"hidden": "n_hidden", "features": "n_features"}),
    "speech-gru": Family(_speech_gru, {"hidden": "n_hidden"}),
    "conformer-ctc": Family(
        _conformer_ctc,
        {
            "features": "n_features",
            "heads": "n_heads",
            "inner": "n_inner",
            "channels": "n_mixed",
        },
    ),
    "recurrent": Family(
        _recurrent,
        {
            "features": "n_features",
            "hidden": "n_units",
            "decoder": "n_decoder",
            "keys": "n_keys",
        },
    ),
    "transformer": Family(
        _transformer, {"features": "n_features", "heads": "n_heads", "inner": "n_inner"}
    ),
}
