"""Examples made a little different each time they are seen: shift, background, gain, noise, drop.

What an augmented example holds is a function of the example, the settings and ``(seed, step,
row)``. Labels and lengths stay as they are; the symbols' samples all stay inside.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pipeline.spec import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.values import Samples
    from tools.training.data.example import Example

Background: TypeAlias = "Callable[[np.random.Generator], Samples]"
"""Draws filtered rest ``(n, n_inputs)``; there may be none."""

_SALT = 0xA06
"""Keeps these draws apart from those that other code makes of the same step and row."""


class Augmentation(Settings, frozen=True, kw_only=True):
    """What may be done to an example; all of it is off by default.

    ``chance``: share of the examples that are touched at all. ``shift_s``: symbols come up to so
    much earlier or later; what rest falls out at one end comes in at the other, and never more than
    half of the rest there is. ``mix``: up to so much of another stretch of rest is added, the sum
    scaled back to the power of before. ``gain_db``: each channel louder or quieter by up to so
    much. ``noise``: white noise of up to so many standard deviations of each channel. ``drop``:
    chance of each channel to be silent in all of its bands.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    chance: float = 1.0
    shift_s: float = 0.0
    mix: float = 0.0
    gain_db: float = 0.0
    noise: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        most = {"chance": 1.0, "drop": 0.9, "mix": 2.0, "noise": 2.0, "gain_db": 20.0}
        for name in self.__struct_fields__:
            value, limit = getattr(self, name), most.get(name, 10.0)
            if not 0.0 <= value <= limit:
                raise ValueError(f"{name}: got {value}, wanted 0 to {limit:g}")

    @property
    def is_off(self) -> bool:
        """Say whether nothing would ever be changed."""
        changes = (self.shift_s, self.mix, self.gain_db, self.noise, self.drop)
        return not (self.chance and any(changes))


def augment(
    example: Example,
    settings: Augmentation,
    *,
    number: tuple[int, int, int],
    rate_hz: float,
    n_channels: int,
    background: Background | None = None,
) -> Example:
    """Return ``example`` changed as ``settings`` and ``number`` say; itself where nothing is.

    Args:
        example: not modified.
        settings: what may be done.
        number: seed, step and row.
        rate_hz: of the samples.
        n_channels: inputs of one band.
        background: gives rest to mix in, best of another recording; nothing is without it.
    """
    rng = np.random.default_rng([*number, _SALT])
    if settings.is_off or rng.random() >= settings.chance or not len(example.samples):
        return example
    shift = _shift_samples(example, settings, rng, rate_hz=rate_hz)
    samples = np.roll(example.samples, shift, axis=0)  # (n_samples, n_inputs), a copy
    on = None if example.on is None else np.roll(example.on, shift)
    if settings.mix and background is not None:
        _mix(samples, background(rng), rng.uniform(0.0, settings.mix), rng)
    n_bands = samples.shape[1] // n_channels
    if settings.gain_db:
        gains_db = rng.uniform(-settings.gain_db, settings.gain_db, n_channels)
        samples *= np.tile(10.0 ** (gains_db / 20.0), n_bands).astype(np.float32)
    if settings.noise:
        level = rng.uniform(0.0, settings.noise) * samples.std(axis=0)  # (n_inputs,)
        samples += level * rng.standard_normal(samples.shape, dtype=np.float32)
    if settings.drop:
        dropped = rng.random(n_channels) < settings.drop
        if not dropped.all():
            samples[:, np.tile(dropped, n_bands)] = 0.0
    before, after = example.rest
    rest = (before + shift, after - shift) if example.labels else example.rest
    return dataclasses.replace(example, samples=samples, on=on, rest=rest)


def _shift_samples(
    example: Example, settings: Augmentation, rng: np.random.Generator, *, rate_hz: float
) -> int:
    """Return by how many samples the symbols come later."""
    furthest = round(settings.shift_s * rate_hz)
    before, after = example.rest
    return int(rng.integers(-min(furthest, before // 2), min(furthest, after // 2) + 1))


def _mix(samples: Samples, background: Samples, share: float, rng: np.random.Generator) -> None:
    """Add ``share`` of ``background`` to ``samples`` in place, from a random place on."""
    if not len(background):
        return
    first = int(rng.integers(len(background)))
    places = np.arange(first, first + len(samples)) % len(background)
    samples += np.float32(share) * background[places]
    samples /= np.float32(np.sqrt(1.0 + share**2))
