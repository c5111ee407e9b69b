"""Every point of the front lies within the picture."""

from __future__ import annotations

import pytest

from tests.unit.tools.compression.optimizing.test_choice import figures, walk
from tests.unit.tools.compression.optimizing.test_report import report
from tools.compression.optimizing.front_plot import _panel

pyplot = pytest.importorskip("matplotlib.pyplot")


def test_steps_that_take_about_as_long_are_not_cut_off_at_the_edge() -> None:
    steps = [("int8", figures(0.0, 0.993, 4000), None), ("mixed", figures(0.0, 0.999, 3000), None)]
    drawn, panel = pyplot.subplots()
    _panel(panel, report(walks=(walk(0.0, *steps),)), [], lambda f: 100 * f.speed.ratio_p50, "x")
    low, high = panel.get_xlim()
    pyplot.close(drawn)
    assert low == 0.0
    assert high > 105.0
