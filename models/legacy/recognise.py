"""Recognition of one of our architectures in a network that somebody else wrote down.

Layers are compared by what they compute and from what, never by name: two layers are the same where their
kind, their settings and their inputs are.
"""

import functools
import json
from collections import Counter
from dataclasses import dataclass

import keras

from core.errors import InvalidRequest
from models.architectures import ARCHITECTURES, build
from models.legacy.architecture_json import Graph, Layer, parse_architecture

TOLD = 4

Signatures = dict[str, int]


@dataclass(frozen=True)
class Recognised:
    """An architecture of ours, untrained, and the file's name of each of its layers."""

    architecture: str
    network: keras.Model
    names: dict[str, str]


def recognise(graph: Graph, source: str) -> Recognised:
    """Find the architecture that a graph is; raises InvalidRequest with what differs from the nearest."""
    found = recognised(graph)
    if found is not None:
        return found
    nearest = min(ARCHITECTURES, key=lambda name: _distance(_own_graph(name), graph))
    raise InvalidRequest(
        f"{source}: network {graph.name!r:.60} is none of {', '.join(sorted(ARCHITECTURES))}; "
        f"it differs from {nearest}: {'; '.join(_differences(_own_graph(nearest), graph)[:TOLD]):.1000}"
    )


def recognised(graph: Graph) -> Recognised | None:
    """The architecture of ours that a graph is, or None."""
    for name in sorted(ARCHITECTURES, key=lambda name: name != graph.name.lower()):
        names = _match(_own_graph(name), graph)
        if names is not None:
            return Recognised(name, build(name), names)
    return None


@functools.cache
def _own_graph(architecture: str) -> Graph:
    return parse_architecture(build(architecture).to_json(), architecture)


def _match(ours: Graph, theirs: Graph) -> dict[str, str] | None:
    """The name in `theirs` of each layer in `ours`, or None unless both are the same network."""
    table: dict[tuple[object, ...], int] = {}
    our_signs, their_signs = _signatures(ours, table), _signatures(theirs, table)
    if our_signs[ours.output] != their_signs[theirs.output] or len(ours.layers) != len(theirs.layers):
        return None
    names: dict[str, str] = {}
    pairs = [(ours.output, theirs.output)]
    while pairs:
        our_name, their_name = pairs.pop()
        if names.setdefault(our_name, their_name) != their_name:
            return None
        our_inputs = _inputs(ours.layers[our_name], our_signs)
        their_inputs = _inputs(theirs.layers[their_name], their_signs)
        pairs += [
            pair for pair in zip(our_inputs, their_inputs, strict=True) if names.get(pair[0]) != pair[1]
        ]
    return names if len(set(names.values())) == len(theirs.layers) else None


def _signatures(graph: Graph, table: dict[tuple[object, ...], int]) -> Signatures:
    """A number for each layer, equal for layers that compute the same from the same."""
    signs: Signatures = {}
    for name, layer in graph.layers.items():
        inputs = tuple(signs[source] for source in _inputs(layer, signs))
        signs[name] = table.setdefault((_kind(layer), inputs), len(table))
    return signs


def _inputs(layer: Layer, signs: Signatures) -> list[str]:
    """A layer's inputs, in one order for sums: an Add's terms may be written in any."""
    return sorted(layer.inputs, key=signs.__getitem__) if layer.kind == "Add" else list(layer.inputs)


def _kind(layer: Layer) -> tuple[str, str]:
    return layer.kind, json.dumps(layer.settings, sort_keys=True)


def _distance(ours: Graph, theirs: Graph) -> int:
    mine, other = (Counter(map(_kind, graph.layers.values())) for graph in (ours, theirs))
    return (mine - other).total() + (other - mine).total()


def _differences(ours: Graph, theirs: Graph) -> list[str]:
    """What differs, for people: layers of one name, layers too many and missing, then connections."""
    named = {name.replace("/", "_"): layer for name, layer in theirs.layers.items()}
    changed = [n for n in ours.layers if n in named and _kind(named[n]) != _kind(ours.layers[n])]
    told = [f"{named[n].name!r} is {named[n]}, expected {ours.layers[n]}" for n in changed]
    wanted = Counter(str(layer) for name, layer in ours.layers.items() if name not in changed)
    found = Counter(str(layer) for name, layer in named.items() if name not in changed)
    told += [f"{count} too many: {layer}" for layer, count in (found - wanted).items()]
    told += [f"{count} missing: {layer}" for layer, count in (wanted - found).items()]
    return told or [_connected_otherwise(ours, theirs)]


def _connected_otherwise(ours: Graph, theirs: Graph) -> str:
    table: dict[tuple[object, ...], int] = {}
    known = set(_signatures(ours, table).values())
    signs = _signatures(theirs, table)
    first = next((theirs.layers[name] for name in theirs.layers if signs[name] not in known), None)
    if first is None:
        return f"the same layers, but {theirs.output!r} is its output"
    return f"the same layers, but {first.name!r} takes its input from {', '.join(first.inputs)}"
