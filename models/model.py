"""The one small port behind which every inference backend stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.values import Samples


class Model(Protocol):
    """Windows in, scores out; carries its own state from call to call.

    One instance belongs to one stream and one thread.
    """

    def run(self, window: Samples) -> NDArray[np.float32]:
        """Return the output ``(n_rows, n_columns)`` for one window ``(n_samples, n_inputs)``.

        The result belongs to the model and is valid until the next call.
        """
        ...

    def reset(self) -> None:
        """Forget everything: the next window is the first."""
        ...
