"""A recipe's ``[data]`` table: batches, recordings, augmentation, and the simulated person."""

from __future__ import annotations

from pipeline.spec import Settings
from runtime.simulation.synthesis import DEFAULT_SNR_DB
from tools.training.data.augment import Augmentation
from tools.training.data.settings import DataSettings


class Simulation(Settings, frozen=True, kw_only=True):
    """Sessions of the simulated person at ``snr_db``, about ``n_characters`` each.

    Training begins where patterns are easy to hear, at ``easy_snr_db`` for the first ``easy`` of
    it, and comes down to ``snr_db`` at ``hard`` of it. ``rest_chance``: share of sessions in which
    nothing is typed; ``noise_chance``: share of those that are no EEG at all.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    snr_db: float = DEFAULT_SNR_DB
    easy_snr_db: float = 3.0
    easy: float = 0.05
    hard: float = 0.3
    n_characters: int = 28
    rest_chance: float = 0.1
    noise_chance: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.easy < self.hard <= 1.0:
            raise ValueError(f"easy, hard: got {self.easy}, {self.hard}, wanted 0 <= easy < hard")
        chances = (self.rest_chance, self.noise_chance)
        if min(chances) < 0.0 or sum(chances) > 1.0:
            raise ValueError(f"rest_chance, noise_chance: got {chances}, wanted 0 to 1 together")
        if not 9 <= self.n_characters <= 1000:
            raise ValueError(f"n_characters: got {self.n_characters}, wanted 9 to 1000")


class DataTable(DataSettings, frozen=True, kw_only=True):
    """``n_batch`` examples a step; keys of :class:`DataSettings` are for recordings.

    ``lexicon``: a file of pronunciations in which texts are learned, with a decoder of the method
    ``lexicon``; without one they are learned character by character.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    n_batch: int = 16
    lexicon: str = ""
    augment: Augmentation = Augmentation()
    simulated: Simulation = Simulation()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_batch < 1:
            raise ValueError(f"n_batch: got {self.n_batch}, wanted 1 or more")
