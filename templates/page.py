"""An e-mail's HTML as people see it: its links, its pictures, its words."""

from html.parser import HTMLParser


def read_page(html: str) -> "Page":
    """What a page shows; any text is read, however broken."""
    page = Page()
    page.feed(html)
    page.close()
    return page


class Page(HTMLParser):
    """Collects links with their text, pictures, and the words people see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.images = 0
        self.without_alt = 0
        self._href: str | None = None
        self._link_text: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link begins, a picture stands here, or a part that nobody sees begins."""
        attributes = dict(attrs)
        hides = (
            tag in {"style", "title"} or self._hidden > 0 or "display:none" in (attributes.get("style") or "")
        )
        if hides and tag in {"style", "title", "div"}:
            self._hidden += 1
        elif tag == "a":
            self._href, self._link_text = attributes.get("href") or "", []
        elif tag == "img":
            self.images += 1
            self.without_alt += not (attributes.get("alt") or "").strip()

    def handle_endtag(self, tag: str) -> None:
        """It ends."""
        if tag in {"style", "title", "div"}:
            self._hidden = max(self._hidden - 1, 0)
        elif tag == "a" and self._href is not None:
            self.links.append((self._href, "".join(self._link_text)))
            self._href = None

    def handle_data(self, data: str) -> None:
        """Words, unless they are hidden."""
        if not self._hidden:
            self.text.append(data)
            self._link_text.append(data)
