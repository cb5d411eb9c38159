"""A report: the station's header and its observations, as XML and as pipe-separated values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from xml.etree import ElementTree

from core.ades.fields import OPTICAL
from core.ades.observation import Observation
from core.station import Station

VERSION = "2022"
_LONGEST_LINE = 100

Form = Literal["xml", "psv"]
Context = dict[str, list[tuple[str, str]]]
"""The elements of the header, and what is in each, in order."""


@dataclass(frozen=True)
class Report:
    """What is reported; `comment` is for people, a line each."""

    station: Station
    observations: Sequence[Observation]
    comment: Sequence[str] = ()

    def context(self) -> Context:
        """The header."""
        lines = [("line", " ".join(line.replace("|", "/").split())[:_LONGEST_LINE]) for line in self.comment]
        return self.station.header() | ({"comment": lines} if lines else {})


def _xml(report: Report) -> bytes:
    root = ElementTree.Element("ades", version=VERSION)
    block = ElementTree.SubElement(root, "obsBlock")
    context = ElementTree.SubElement(block, "obsContext")
    for name, lines in report.context().items():
        part = ElementTree.SubElement(context, name)
        for key, value in lines:
            ElementTree.SubElement(part, key).text = value
    data = ElementTree.SubElement(block, "obsData")
    for observation in report.observations:
        optical = ElementTree.SubElement(data, "optical")
        for name, value in observation.values.items():
            ElementTree.SubElement(optical, name).text = value
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _psv(report: Report) -> bytes:
    return "".join(f"{line}\n" for line in _psv_lines(report)).encode()


def _psv_lines(report: Report) -> Iterator[str]:
    yield f"# version={VERSION}"
    for name, lines in report.context().items():
        yield f"# {name}"
        yield from (f"! {key} {value}" for key, value in lines)
    said = {name for observation in report.observations for name in observation.values}
    names = [name for name in OPTICAL if name in said]
    yield "|".join(names)
    for observation in report.observations:
        yield "|".join(observation.values.get(name, "") for name in names)


FORMS: Mapping[Form, tuple[str, Callable[[Report], bytes]]] = MappingProxyType(
    {"xml": ("application/xml", _xml), "psv": ("text/plain; charset=utf-8", _psv)}
)
"""The media type of each form, and what writes it."""
