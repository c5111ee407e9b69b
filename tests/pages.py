"""Pages as a browser would find them: their elements, and whether any could do harm."""

from __future__ import annotations

from html.parser import HTMLParser

_NAMES = """
html head meta title style body header main section nav h1 h2 p strong span ul li a div
table caption thead tbody tfoot tr th td dl dt dd bdi details summary
figure figcaption svg line rect circle path text
"""
ALLOWED = frozenset(_NAMES.split())
VOID = frozenset({"meta"})


class Elements(HTMLParser):
    """Collects the elements and texts of a page, and what is wrong with it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"<{name}> is left open" for name in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag not in ALLOWED:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in {"src", "srcset", "xlink:href", "action"}:
                self.faults.append(f"{tag}.{name} = {value}")
            if name == "href":
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.faults += [f"style: {word}" for word in ("url(", "@import") if word in data]
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join("".join(self.texts).split())
