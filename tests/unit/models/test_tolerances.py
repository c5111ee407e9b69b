from __future__ import annotations

import msgspec
import pytest

from models.manifest import ModelFile, Tensor
from models.tolerances import LOOSEST, Precision


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("float32", 2e-4), ("float16", 0.02), ("int8", 0.02), ("float32", float("nan"))],
)
def test_golden_vectors_that_would_prove_nothing_are_refused(
    precision: Precision, tolerance: float
) -> None:
    file = ModelFile(
        input=Tensor(name="x", shape=(1, 2, 3)),
        output=Tensor(name="y", shape=(1, 1, 3)),
        precision=precision,
        golden_tolerance=LOOSEST[precision],
    )
    with pytest.raises(ValueError, match="golden_tolerance: got .*, wanted 0 to"):
        msgspec.structs.replace(file, golden_tolerance=tolerance)
