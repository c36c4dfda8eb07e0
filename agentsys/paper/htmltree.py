"""A small tree of an HTML page. Nothing is loaded, nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_CLOSES = {"p": {"p"}, "li": {"li"}, "tr": {"tr", "td", "th"}, "td": {"td", "th"}, "th": {"td", "th"}}
DEPTH = 200


class Node:
    """An element."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.children: list[Node | str] = []
        self.classes = frozenset(attributes.get("class", "").split())

    def has(self, *names: str) -> bool:
        """True if the element has one of the classes."""
        return any(name in self.classes for name in names)

    def elements(self) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node)]

    def walk(self) -> Iterator[Node]:
        """Every element below this one, in order."""
        stack = self.elements()[::-1]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.elements()[::-1])

    def find(self, name: str) -> Node | None:
        """The first element below with a class."""
        return next((node for node in self.walk() if name in node.classes), None)

    def all(self, name: str) -> list[Node]:
        return [node for node in self.walk() if name in node.classes]

    def tag_named(self, tag: str) -> Node | None:
        return next((node for node in self.walk() if node.tag == tag), None)

    def tags(self, tag: str) -> list[Node]:
        return [node for node in self.walk() if node.tag == tag]

    def text(self, skip: tuple[str, ...] = ()) -> str:
        """The words, formulas as `$LaTeX$`, without elements of the classes `skip`; hidden elements give nothing."""
        return " ".join("".join(self._parts(skip)).split())

    def _parts(self, skip: tuple[str, ...]) -> Iterator[str]:
        stack: list[Node | str] = [self]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                yield item
            elif item.tag == "math":
                yield f"${item.attributes.get('alttext', '')}$" if item.attributes.get("alttext") else ""
            elif item.tag in ("script", "style", "annotation", "template") or item.has(*skip) or hidden(item):
                continue
            else:
                block = item.tag in ("p", "div", "li", "br", "tr", "h1", "h2", "h3", "h4")
                stack.extend(item.children[::-1])
                if block:
                    yield " "

    def raw(self) -> str:
        """The text with its line ends."""
        return "".join(child if isinstance(child, str) else child.raw() for child in self.children)


def hidden(node: Node) -> bool:
    """True for an element that a browser does not show by its own attributes."""
    style = node.attributes.get("style", "").replace(" ", "").lower()
    gone = ("display:none", "visibility:hidden", "opacity:0;", "font-size:0")
    return "hidden" in node.attributes or any(mark in style for mark in gone) or style.endswith("opacity:0")


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("root", {}, None)
        self.node = self.root
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.node.tag in _CLOSES.get(tag, ()):
            self._close(self.node.tag)
        node = Node(tag, {name: value or "" for name, value in attrs}, self.node)
        self.node.children.append(node)
        if tag not in _VOID and self.depth < DEPTH:
            self.node = node
            self.depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.node.children.append(Node(tag, {name: value or "" for name, value in attrs}, self.node))

    def handle_endtag(self, tag: str) -> None:
        self._close(tag)

    def _close(self, tag: str) -> None:
        node: Node | None = self.node
        steps = 0
        while node is not None and node.tag != tag:
            node = node.parent
            steps += 1
        if node is not None and node.parent is not None:
            self.node = node.parent
            self.depth -= steps + 1

    def handle_data(self, data: str) -> None:
        self.node.children.append(data)


def parse(text: str) -> Node:
    """Parse a page."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    return builder.root
