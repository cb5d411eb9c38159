import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.programs import Place
from cli.local.record import RecordFile, ServiceRecord
from cli.local.service import Service
from cli.local.supervisor import Program
from core.errors import Conflict, Misconfigured, NotInvited, Unavailable
from core.service_secrets import Secrets
from core.settings import Settings
from tests.cli.local.running import hosts, naming, wait_until
from tests.cli.local.stand_ins import PATIENT, SLEEPER, python, stand_ins
from tests.small_disk import disk_or_skip, fill

ROOT = Path(__file__).resolve().parents[3]


class Sentences(list[str]):
    """What a service said."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)

    def holds(self, words: str) -> bool:
        return any(words in sentence for sentence in self)


@pytest.fixture
def settings(tmp_path: Path, mongo_url: str, redis_url: str, mongo_database: str) -> Settings:
    """A service on the shared servers, so that a test need not wait for servers of its own."""
    return Settings.model_validate(
        {
            "state_dir": tmp_path / "state",
            "mongo_url": mongo_url,
            "redis_url": redis_url,
            "mongo_database": mongo_database,
            "port": 0,
            "flower_port": 0,
        }
    )


def only(*programs: Program) -> Callable[[Place, Secrets], Sequence[Program]]:
    return lambda _place, _secrets: programs


def program(name: str, code: str, mark: Path, **options: object) -> Program:
    return Program(name, python(code, str(mark)), dict(os.environ), **options)  # type: ignore[arg-type]


def test_leaving_stops_every_process_and_removes_the_record(settings: Settings) -> None:
    said = Sentences()
    with Service(settings, say=said, programs=stand_ins) as service:
        assert set(service.record.processes) == {"sleeper", "stubborn"}
        assert service.record.ready
        wait_until(lambda: len(naming(settings.state_dir)) == 3)
    assert naming(settings.state_dir) == []
    assert not (settings.state_dir / "service.json").exists()
    assert said.holds("stubborn is killed: it did not end by itself")


def test_the_record_is_private_and_says_where_the_service_is(settings: Settings) -> None:
    record_file = RecordFile(settings.state_dir)
    with Service(settings, say=Sentences(), programs=stand_ins) as service:
        assert record_file.running() == service.record
        assert service.record.supervisor.pid == os.getpid()
        assert (settings.state_dir / "service.json").stat().st_mode & 0o777 == 0o600
        assert service.secrets_file.stat().st_mode & 0o777 == 0o600
    assert record_file.running() is None


def test_a_second_service_on_the_same_state_is_refused(settings: Settings) -> None:
    with (
        Service(settings, say=Sentences(), programs=only()),
        pytest.raises(Conflict, match="runs already"),
        Service(settings, say=Sentences(), programs=only()),
    ):
        pass


def test_a_program_that_dies_is_started_again_and_that_is_said(settings: Settings, tmp_path: Path) -> None:
    said = Sentences()
    sleeper = program("sleeper", SLEEPER, tmp_path)
    with Service(settings, say=said, programs=only(sleeper)) as service:
        first = service.record.processes["sleeper"]
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: service.record.processes["sleeper"] != first)
        assert service.record.processes["sleeper"].is_running()
    assert said.holds("sleeper ended (signal 9); starting it again in 1 s")
    assert "sleeper ended" in (settings.state_dir / "logs" / "service.log").read_text()


def test_ready_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    asked = []

    def ready() -> bool:
        asked.append(time.monotonic())
        return len(asked) == 3

    with Service(settings, say=Sentences(), programs=only(program("slow", SLEEPER, tmp_path, ready=ready))):
        assert len(asked) == 3


def test_a_program_that_keeps_dying_fails_the_start_with_its_last_words(
    settings: Settings, tmp_path: Path
) -> None:
    broken = program("broken", "raise SystemExit('no such network')", tmp_path, ready=lambda: False)
    with (
        pytest.raises(Unavailable, match=r"broken keeps ending.*\n.*no such network"),
        Service(settings, say=Sentences(), programs=only(program("other", SLEEPER, tmp_path), broken)),
    ):
        pass
    assert naming(tmp_path) == []


def test_a_program_that_is_never_ready_fails_the_start(settings: Settings, tmp_path: Path) -> None:
    never = program("never", SLEEPER, tmp_path, ready=lambda: False, ready_timeout_s=0.3)
    with (
        pytest.raises(Unavailable, match="never is not ready after 0 s"),
        Service(settings, say=Sentences(), programs=only(never)),
    ):
        pass
    assert naming(tmp_path) == []


def test_taken_ports_are_sidestepped_and_that_is_said(settings: Settings) -> None:
    said = Sentences()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port, flower_port = one.getsockname()[1], two.getsockname()[1]
        settings = settings.model_copy(update={"port": port, "flower_port": flower_port})
        with Service(settings, say=said, programs=only()) as service:
            assert service.url not in (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{flower_port}")
            assert service.url != service.record.flower_url
    assert said.holds(f"port {port} is taken; the API listens on")
    assert said.holds(f"port {flower_port} is taken; Flower listens on")


@pytest.mark.parametrize("host", hosts("127.0.0.2", "0.0.0.0", "::1"))
def test_the_address_of_the_service_is_the_one_that_it_listens_on(settings: Settings, host: str) -> None:
    shown = {"127.0.0.2": "127.0.0.2", "0.0.0.0": "127.0.0.1", "::1": "[::1]"}[host]
    settings = settings.model_copy(update={"host": host})
    with Service(settings, say=Sentences(), programs=only()) as service:
        assert service.url.startswith(f"http://{shown}:")
        assert service.record.flower_url.startswith("http://127.0.0.1:")


def test_a_server_that_was_set_and_does_not_answer_is_named_with_a_cure(settings: Settings) -> None:
    settings = Settings.model_validate(
        {**settings.model_dump(), "redis_url": "redis://127.0.0.1:9/0", "mongo_url": settings.mongo_url}
    )
    with (
        pytest.raises(Misconfigured, match=r"redis: does not answer.*DA_REDIS_URL"),
        Service(settings, say=Sentences(), programs=only()),
    ):
        pass


def environment(settings: Settings) -> dict[str, str]:
    urls = {
        name: getattr(settings, name).get_secret_value()
        for name in ("mongo_url", "redis_url")
        if getattr(settings, name)
    }
    given = {**urls, "state_dir": str(settings.state_dir), "port": "0", "flower_port": "0"}
    return {**os.environ, **{f"DA_{name.upper()}": value for name, value in given.items()}}


@contextmanager
def supervisor(settings: Settings, *options: str) -> Iterator[tuple["subprocess.Popen[str]", ServiceRecord]]:
    """An `up` with stand-ins, in a process of its own, ready."""
    command = [sys.executable, "-m", "tests.cli.local.stand_ins", *options]
    record_file = RecordFile(settings.state_dir)
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("http://127.0.0.1:")
            record = record_file.running()
            assert record is not None
            wait_until(lambda: len(naming(settings.state_dir)) >= 3)
            yield process, record
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGHUP, 0)])
def test_a_signal_leaves_no_process(settings: Settings, number: int, status: int) -> None:
    with supervisor(settings) as (process, record):
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == status
        assert "Traceback" not in errors
        assert errors.endswith("stopping\nstubborn is killed: it did not end by itself\nstopped\n")
    assert not any(child.is_running() for child in record.processes.values())
    assert naming(settings.state_dir) == []


def test_a_second_signal_waits_for_nobody(settings: Settings) -> None:
    with supervisor(settings, PATIENT) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "stopping\n" in iter(process.stderr.readline, "")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)  # half of what the stubborn one would be given
    assert naming(settings.state_dir) == []


def test_a_supervisor_that_is_killed_leaves_no_process_and_its_successor_knows(tmp_path: Path) -> None:
    own = Settings.model_validate({"state_dir": tmp_path / "state", "port": 0, "flower_port": 0})
    with supervisor(own) as (process, record):
        assert set(record.processes) == {"redis", "mongo", "sleeper", "stubborn"}
        process.kill()
        process.wait()
        wait_until(lambda: not any(child.is_running() for child in record.processes.values()))
        wait_until(lambda: naming(own.state_dir) == [])
    record_file = RecordFile(own.state_dir)
    assert (record_file.read(), record_file.running()) == (record, None)
    with Service(own, say=Sentences(), programs=stand_ins) as service:
        assert service.record.supervisor.pid == os.getpid()


def test_a_full_disk_ends_nothing_and_what_runs_is_noted_once_there_is_room(
    settings: Settings, tmp_path: Path
) -> None:
    said = Sentences()
    with disk_or_skip(tmp_path / "disk", kib=512) as disk:
        on_disk = settings.model_copy(update={"state_dir": disk / "state"})
        with Service(on_disk, say=said, programs=only(program("worker", SLEEPER, tmp_path))) as service:
            filler = fill(disk)
            os.kill(service.record.processes["worker"].pid, signal.SIGKILL)
            wait_until(lambda: said.holds("can't be noted: No space left on device; trying again"))
            running = service.record.processes["worker"]
            filler.unlink()
            record_file = RecordFile(disk / "state")
            wait_until(lambda: (noted := record_file.read()) and noted.processes["worker"] == running)
            assert Path(f"/proc/{running.pid}").exists()
    assert len([sentence for sentence in said if "can't be noted" in sentence]) == 1


def test_leftovers_of_a_crash_are_killed_and_a_reused_process_id_is_not(tmp_path: Path) -> None:
    from cli.local.processes import ProcessId

    with subprocess.Popen(python(SLEEPER), start_new_session=True) as left:
        innocent = ProcessId(os.getpid(), 1)  # this process, but another start time
        record = ServiceRecord(
            innocent, "", "", "", True, {"left": ProcessId.of(left.pid), "other": innocent}
        )
        record_file = RecordFile(tmp_path)
        assert record_file.acquire()
        record_file.write(record)
        assert record_file.clear_leftovers() == ["left"]
        record_file.release()
        assert left.wait(5) == -signal.SIGKILL


def test_a_program_whose_settings_are_wrong_is_not_tried_again_and_again(
    settings: Settings, tmp_path: Path
) -> None:
    said = Sentences()
    wrong = program("wrong", "print('no such GPU'); raise SystemExit(78)", tmp_path, ready=lambda: False)
    with (
        pytest.raises(Misconfigured, match=r"wrong can't start.*\n.*no such GPU"),
        Service(settings, say=said, programs=only(wrong)),
    ):
        pass
    assert len([sentence for sentence in said if "wrong ended" in sentence]) == 1


def test_programs_of_a_group_are_asked_to_end_together_and_drain_at_the_same_time(
    settings: Settings, tmp_path: Path
) -> None:
    # Each ends once all three have been asked: one after the other, each would wait until it is killed.
    drains = (
        "import pathlib, signal, sys, time\n"
        "mark = pathlib.Path(sys.argv[1])\n"
        "def drain(*_):\n"
        "    mark.with_suffix('.asked').touch()\n"
        "    while len(list(mark.parent.glob('*.asked'))) < 3: time.sleep(0.01)\n"
        "    raise SystemExit(0)\n"
        "signal.signal(signal.SIGTERM, drain)\n"
        "mark.touch()\n"
        "time.sleep(600)"
    )
    programs = [program(f"w{n}", drains, tmp_path / f"up-{n}", group="workers") for n in range(3)]
    said = Sentences()
    with Service(settings, say=said, programs=only(*programs)):
        wait_until(lambda: len(list(tmp_path.glob("up-?"))) == 3)
    assert not said.holds("is killed")


def test_a_program_that_may_end_is_done_when_it_ends_well_and_started_again_when_it_does_not(
    settings: Settings, tmp_path: Path
) -> None:
    mark = tmp_path / "second"
    code = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); e = p.exists(); p.touch(); sys.exit(not e)"
    said = Sentences()
    with Service(settings, say=said, programs=only(program("brief", code, mark, may_end=True))) as service:
        service.wait()
    assert [sentence for sentence in said if "brief ended" in sentence] == [
        "brief ended (exit status 1); starting it again in 1 s"
    ]


def test_a_program_that_has_no_right_any_more_is_not_started_again(
    settings: Settings, tmp_path: Path
) -> None:
    code = "import time; time.sleep(0.5); print('withdrawn'); raise SystemExit(77)"
    said = Sentences()
    with (
        pytest.raises(NotInvited, match=r"guest is let in no more.*\n.*withdrawn"),
        Service(settings, say=said, programs=only(program("guest", code, tmp_path))) as service,
    ):
        service.wait()
    assert not said.holds("starting it again")
