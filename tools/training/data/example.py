"""One example: filtered samples, the text in them, and what is known of where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.values import Samples


@dataclass(frozen=True, slots=True)
class Example:
    """Filtered ``samples`` (n_samples, n_inputs) and their text as indices into the vocabulary.

    ``on`` (n_samples,) is the symbol that each sample belongs to, 0 at rest; None where that is
    not known, as in any recording of a person. ``rest``: how many samples at its beginning and at
    its end hold no symbol; without labels each is all of them.
    """

    samples: Samples
    labels: tuple[int, ...]
    on: NDArray[np.int64] | None = None
    rest: tuple[int, int] = (0, 0)
