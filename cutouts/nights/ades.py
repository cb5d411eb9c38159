"""ADES documents: astrometry as the Minor Planet Center exchanges it, in XML."""

from typing import Any
from xml.parsers import expat

from core.errors import InvalidRequest

ADES_BYTES = 2**20
_DEEPEST = 32
_MOST_ELEMENTS = 10_000


def read_ades(data: bytes) -> dict[str, Any]:
    """What is inside the root `ades`, as nested dicts: attributes and elements by name, texts as they are.

    An element that is repeated is a list, an empty one None. A document type, and with it every entity, is
    refused. Raises InvalidRequest for what is not a whole ADES document.
    """
    if len(data) > ADES_BYTES:
        raise InvalidRequest(f"{len(data)} bytes; expected an ADES document of at most {ADES_BYTES}")
    tree = _Tree()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.begin
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartDoctypeDeclHandler = tree.refuse_doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise InvalidRequest(f"not XML: {error}; expected an ADES document") from error
    name, value = tree.root
    if name != "ades" or not isinstance(value, dict):
        raise InvalidRequest(f"the root is {name[:80]!r}; expected <ades> with observations in it")
    return value


class _Tree:
    """Built from the parser's calls."""

    def __init__(self) -> None:
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self._elements = 0
        self.root: tuple[str, Any] = ("", None)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS or len(self._open) == _DEEPEST:
            raise InvalidRequest(
                f"over {_MOST_ELEMENTS} elements, or over {_DEEPEST} in each other; expected one streak's"
            )
        if any("." in key for key in (name, *attributes)):
            raise InvalidRequest(f"a dot in the name of {name[:80]!r}; expected names as in ADES")
        self._open.append((name, dict(attributes), []))

    def text(self, data: str) -> None:
        self._open[-1][2].append(data)

    def end(self, name: str) -> None:
        _, children, texts = self._open.pop()
        text = "".join(texts).strip()
        value: Any = children or (text or None)
        if children and text:
            children["text"] = text
        if not self._open:
            self.root = (name, value)
            return
        siblings = self._open[-1][1]
        if name not in siblings:
            siblings[name] = value
        elif isinstance(siblings[name], list):
            siblings[name].append(value)
        else:
            siblings[name] = [siblings[name], value]

    def refuse_doctype(self, *_: Any) -> None:
        raise InvalidRequest("a document type declaration; expected an ADES document without one")
