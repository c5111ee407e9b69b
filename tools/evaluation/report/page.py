"""A page of parts as HTML: one file, no script, no network, everything in it escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jinja2

    from tools.evaluation.report.parts import Part, Section
    from tools.evaluation.report.verdict import Announced

TEMPLATES = Path(__file__).with_name("page")


@dataclass(frozen=True, slots=True)
class Page:
    """What is on a page; ``simulated``: what to say of data that is, else empty."""

    title: str
    subtitle: str
    verdicts: Sequence[Announced]
    first: Sequence[Part]
    sections: Sequence[Section]
    simulated: str = ""


def html(page: Page) -> bytes:
    """Return the page; what is no character anywhere is replaced."""
    text = _templates().get_template("page.html").render(page=page)
    return text.translate(_REPLACED).encode("utf-8", "replace")


@cache
def _templates() -> jinja2.Environment:
    """Return the templates, which are compiled once."""
    import jinja2  # of the workbench

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_REPLACED = {code: "�" for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: "�"}
"""Control characters, which HTML does not allow."""
