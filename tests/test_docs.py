"""What the docs tell people to type is there."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from cli.__main__ import parse

ROOT = Path(__file__).parents[1]
DOCS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "ARCHITECTURE.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[ =])(?:\./|/opt/streaks/)streaks( [^\n]*)", re.MULTILINE)
_ENDS = {"#", "&&", "|", ";", "||"}


def typed() -> list[tuple[str, tuple[str, ...]]]:
    """Each call of `./streaks` in the docs' blocks and in the units, with where it stands."""
    blocks = [(doc, block) for doc in DOCS for block in _FENCE.findall(doc.read_text("utf-8"))]
    blocks += [(unit, unit.read_text("utf-8")) for unit in UNITS]
    return [
        (path.name, _until_its_end(shlex.split(words)))
        for path, block in blocks
        for words in _COMMAND.findall(block.replace("\\\n", " "))
    ]


def _until_its_end(words: list[str]) -> tuple[str, ...]:
    for n, word in enumerate(words):
        if word in _ENDS or word.startswith("("):
            return tuple(words[:n])
    return tuple(words)


def test_every_command_of_the_docs_is_one_of_the_command_line() -> None:
    calls = typed()
    assert len(calls) > 30
    for where, words in calls:
        try:
            parse(words)
        except SystemExit as ended:
            if ended.code and words != ("test",):  # which the launcher takes
                pytest.fail(f"{where}: ./streaks {shlex.join(words)}")


def test_every_module_that_the_docs_run_is_there() -> None:
    named = {
        (doc.name, module)
        for doc in DOCS
        for module in re.findall(
            r"-m ((?:api|bench|cli|models|tasks|worker)[a-z_.]*[a-z])", doc.read_text("utf-8")
        )
    }
    assert len(named) > 20
    assert [(doc, module) for doc, module in sorted(named) if importlib.util.find_spec(module) is None] == []


def test_every_file_that_the_docs_name_is_there() -> None:
    room = (
        r"(?:api|bench|cli|clients|core|cutouts|deploy|docs|models|requirements|storage|tasks|tests|worker)"
    )
    named = {
        (doc.name, path)
        for doc in DOCS
        for path in re.findall(rf"`({room}/[\w./*-]+)`", doc.read_text("utf-8"))
    }
    assert len(named) > 50
    missing = [(doc, path) for doc, path in sorted(named) if not [*ROOT.glob(path), *ROOT.glob(f"{path}.py")]]
    assert missing == []
