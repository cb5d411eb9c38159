import errno
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cli.__main__ import main, parse
from cli.caller import from_caller
from cli.connection import given_token
from cli.verbs import VERBS, Verb
from core.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A verb `try`, whose `run` a test sets."""
    module = ModuleType("tests.cli.verb_to_try")
    module.add_arguments = lambda parser: parser.add_argument("--once", action="store_true")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(VERBS, "try", Verb(module.__name__, "a verb to try"))
    return module


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--server", "http://there", "try", "--once"],
        ["try", "--json", "--once", "--server=http://there"],
        ["--server", "http://there", "try", "--once", "--json"],
    ],
)
def test_global_options_are_taken_before_and_after_the_verb(verb: ModuleType, words: list[str]) -> None:
    args = parse(words)
    assert (args.verb, args.json, args.server, args.once) == ("try", True, "http://there", True)


def test_global_options_have_defaults(verb: ModuleType) -> None:
    args = parse(["try"])
    assert (args.json, args.server, args.once) == (False, None, False)


def test_arguments_of_another_program_arrive_unread() -> None:
    assert parse(["--json", "test", "-k", "name", "--server", "--", "x"]).rest == [
        *("-k", "name", "--server", "--", "x")
    ]


@pytest.mark.parametrize(
    ("words", "complaint"), [(["dmeo"], "did you mean 'demo'"), (["up", "--no"], "--no")]
)
def test_a_usage_error_exits_2_and_says_why(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert (told.out, complaint in told.err) == ("", True)


def test_an_error_of_the_service_is_one_clear_line_and_json_when_asked(
    verb: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise Unavailable("nobody is there")

    verb.run = fail  # type: ignore[attr-defined]
    assert main(["try"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "streaks: nobody is there\n")
    assert main(["try", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"error": "nobody is there", "kind": "Unavailable"}


def test_what_the_system_refuses_is_one_clear_line_and_json_when_asked(
    verb: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/there/file")

    verb.run = fail  # type: ignore[attr-defined]
    assert main(["try", "--json"]) == 1
    told = capsys.readouterr()
    assert told.err == "streaks: /there/file: No space left on device\n"
    assert json.loads(told.out) == {"error": "/there/file: No space left on device", "kind": "OSError"}


def test_a_bug_keeps_its_traceback(verb: ModuleType) -> None:
    def fail(_: object) -> int:
        raise KeyError("a bug")

    verb.run = fail  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        main(["try"])


@pytest.mark.parametrize("token", ["sesame\nb", "sesame b", "sesame\N{SNOWMAN}"])
def test_a_token_that_fits_no_header_is_told_without_being_quoted(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DA_TOKEN", token)
    assert main(["--server", "127.0.0.1:9", "jobs", "list", "--json"]) == 1
    told = capsys.readouterr()
    assert "DA_TOKEN" in json.loads(told.out)["error"]
    assert told.err.count("\n") == 1
    assert "sesame" not in told.err


def test_a_line_break_after_a_token_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DA_TOKEN", "da_a\n")
    assert given_token() == "da_a"


def test_an_interrupt_exits_130_without_a_traceback(
    verb: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    verb.run = interrupt  # type: ignore[attr-defined]
    assert main(["try"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_status_of_a_verb_is_the_status_of_the_program(verb: ModuleType) -> None:
    verb.run = lambda _: 3  # type: ignore[attr-defined]
    assert main(["try"]) == 3


def test_help_names_every_verb_and_imports_none() -> None:
    code = (
        "import sys; from cli.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'pydantic', 'pymongo', 'redis'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("[]\n")
    assert all(f"\n  {name} " in ran.stdout for name in VERBS)


def test_every_verb_is_a_module_that_keeps_the_contract() -> None:
    code = (
        "import importlib, sys; from cli.verbs import VERBS\n"
        "for verb in VERBS.values():\n"
        "    module = importlib.import_module(verb.module)\n"
        "    assert callable(module.run) and (verb.passes_on or callable(module.add_arguments)), verb\n"
        "print(sorted({'tensorflow', 'keras', 'models', 'worker', 'api'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_paths_are_meant_from_where_the_user_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    assert from_caller("night/a.jpg") == tmp_path / "night" / "a.jpg"
    assert from_caller("/else/a.jpg") == Path("/else/a.jpg")
    monkeypatch.setenv("HOME", "/home/me")
    assert from_caller("~/a.jpg") == Path("/home/me/a.jpg")


@pytest.mark.parametrize("words", [["--server", "http://there", "pack"], ["pack", "--server=http://there"]])
def test_packing_is_done_where_the_record_is_and_by_no_server(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert "DA_MONGO_URL" in capsys.readouterr().err
