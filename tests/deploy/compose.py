"""docker-compose.yml read as Docker would, and its services as processes of this machine.

Commands, environments and configuration files are taken from the file as they are. Mapped are what no process
outside a container can have: addresses of services, ports, and paths of volumes, tmpfs, secrets and configs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from cli.local.binaries import find_mongod, find_redis
from cli.local.ports import free_port, is_free
from tests.deploy.tls_end import TlsEnd

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
HOSTS = ROOT / "docker-compose.hosts.yml"
GPU_HOST = ROOT / "docker-compose.gpu-host.yml"
PORTS = {"mongo": 27017, "redis": 6379, "api": 8000, "flower": 5555, "api-hosts": 8443}
METRICS = 9100  # of every container its own
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z_]+)(?::-([^}]*))?\})")
_ENV = re.compile(r"^ENV ((?:.*\\\n)*.*)$", re.MULTILINE)


def read_compose(file: Path = COMPOSE, **variables: str) -> dict[str, Any]:
    """The file with its anchors merged and its variables filled in."""
    found: dict[str, Any] = _interpolated(yaml.safe_load(file.read_text("utf-8")), variables)
    return found


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(part, variables) for key, part in value.items()}
    if isinstance(value, list):
        return [_interpolated(part, variables) for part in value]
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda m: m[1] or variables.get(m[2], m[3] or ""), value)


def image_environment(dockerfile: Path) -> dict[str, str]:
    """What an image's ENV sets, less PATH, which is the image's own."""
    lines = _ENV.findall(dockerfile.read_text("utf-8"))
    words = " ".join(lines).replace("\\\n", " ").split()
    return {name: value for name, _, value in (word.partition("=") for word in words) if name != "PATH"}


def build_context() -> list[Path]:
    """The files that .dockerignore leaves: all of it, less everything, and again what is named."""
    lines = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").split("\n") if line[:1] not in ("", "#")
    ]
    assert lines[0] == "*"
    assert lines[-1] == "**/__pycache__"
    named = [ROOT / line.removeprefix("!") for line in lines[1:-1] if line.startswith("!")]
    assert len(named) == len(lines) - 2
    files = [file for path in named for file in ([path] if path.is_file() else path.rglob("*"))]
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]


class Composed:
    """Starts services as processes, in a copy of what an image would hold; ends them on leaving."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compose = read_compose(SHIPPED="light")
        hosts = read_compose(HOSTS, SHIPPED="light", PRIVATE_ADDRESS="127.0.0.1")
        self.compose["services"] |= hosts["services"]
        self.compose["services"]["gpu-host"] = read_compose(GPU_HOST)["services"]["worker-gpu0"]
        self._dockerfiles = {
            service["image"]: service["build"]["dockerfile"]
            for service in self.compose["services"].values()
            if "build" in service
        }
        self.ports = {port: free_port() for port in PORTS.values()}
        self.ports[PORTS["api-hosts"]] = _three_free_ports()
        self.metrics = {name: free_port() for name in ("worker", "trainer", "beat", "gateway", "gpu-host")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._behind_tls = free_port()
        self._tls_end: TlsEnd | None = None
        self._image = folder / "image"
        for file in build_context():
            copy = self._image / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        subprocess.run([sys.executable, ROOT / "deploy" / "make_secrets.py", self.secrets], check=True)
        graphs = Path(os.environ["DA_SCORING__GRAPHS_DIR"])  # those that all tests share
        graphs.mkdir(parents=True, exist_ok=True)
        self._made("volumes").joinpath("graphs").symlink_to(graphs)
        self._programs = folder / "bin"
        self._programs.mkdir()
        for name, program in (("mongod", find_mongod()), ("valkey-server", find_redis())):
            (self._programs / name).symlink_to(program.path)

    @property
    def secrets(self) -> Path:
        """What stands for the folder `secrets` beside the file."""
        return self.folder / "secrets"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(reversed(self.processes)):
            self.end(name)
        if self._tls_end is not None:
            self._tls_end.end()

    def url(self, service: str) -> str:
        """Where its port is here."""
        return f"http://127.0.0.1:{self.ports[PORTS[service]]}"

    def start_servers(self) -> None:
        """Redis and MongoDB, with their certificates and accounts."""
        assert self.by_hand("certify").returncode == 0
        for server in ("redis", "mongo"):
            self.start(server)
        certificate = self._made("volumes", "server") / "server.pem"
        self._tls_end = TlsEnd(self.ports[PORTS["redis"]], self._behind_tls, certificate)
        initiate = self.start("initiate")
        self.until(lambda: initiate.poll() == 0, timeout_s=60)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service by its entrypoint and command."""
        service = self.compose["services"][name]
        argv = [self._local(name, word) for word in (*service.get("entrypoint", ()), *service["command"])]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                argv,
                cwd=self._image,
                env=self.environment(name),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name]

    def run(self, name: str, argv: list[str]) -> int:
        """Run something else in a service's place, such as its health check; the exit status."""
        return self.ran(name, argv).returncode

    def ran(self, name: str, argv: list[str], **env: str) -> "subprocess.CompletedProcess[str]":
        """The same, with what it said and more in its environment; the last word of it goes into the log."""
        local = [self._local(name, word) for word in argv]
        done = subprocess.run(
            local,
            cwd=self._image,
            env=self.environment(name) | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        with self.log(f"{name}-ran").open("a") as log:
            log.write(done.stdout)
        return done

    def well(self, name: str) -> bool:
        """Whether it is well, by the health check of the file."""
        kind, *words = self.compose["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(name, words) == 0

    def by_hand(self, name: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """`docker compose run NAME WORDS`."""
        return self.ran(name, [*self.compose["services"][name]["entrypoint"], *words])

    def environment(self, name: str) -> dict[str, str]:
        """What the image and the file set; nothing of this process's own but where programs are."""
        service = self.compose["services"][name]
        dockerfile = self._dockerfiles.get(service["image"])  # none: an image of others
        set_by_image = image_environment(ROOT / dockerfile) if dockerfile else {}
        given = {**set_by_image, **service.get("environment", {})}
        path = os.pathsep.join((str(Path(sys.executable).parent), str(self._programs), "/usr/bin", "/bin"))
        return {"PATH": path, **{key: self._local(name, value) for key, value in given.items()}}

    def log(self, name: str) -> Path:
        """What the service said."""
        return self.folder / f"{name}.log"

    def end(self, name: str) -> int:
        """SIGTERM, then wait as long as its stop_grace_period; the exit status."""
        process = self.processes.pop(name)
        if process.poll() is None:
            process.terminate()
        try:
            return process.wait(_seconds(self.compose["services"][name].get("stop_grace_period", "10s")))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def until(self, happened: Any, *, timeout_s: float) -> None:
        """Wait; fails with the logs when a process ends or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            ended = {name: process.poll() for name, process in self.processes.items() if process.poll()}
            if ended or time.monotonic() > deadline:
                logs = "\n".join(f"== {n}\n{self.log(n).read_text()[-2500:]}" for n in self.processes)
                raise AssertionError(f"ended: {ended}\n{logs}")
            time.sleep(0.1)

    def _local(self, name: str, text: str) -> str:
        """A word with this machine's addresses, ports and paths."""
        for service, port in PORTS.items():
            text = text.replace(f"{service}:{port}", f"127.0.0.1:{self.ports[port]}")
            text = _with_port(text, port, self.ports[port])
        if name in self.metrics:
            text = _with_port(text, METRICS, self.metrics[name])
        paths = {path: str(here) for path, here in self._paths(name).items()}
        longest_first = "|".join(re.escape(path) for path in sorted(paths, reverse=True))
        return (
            re.sub(rf"(?<![\w.])({longest_first})(?=/|\s|$)", lambda m: paths[m[1]], text) if paths else text
        )

    def _paths(self, name: str) -> dict[str, Path]:
        """Where the paths are here that this service, and no other, has in its container."""
        service = self.compose["services"][name]
        found = {}
        for secret in service.get("secrets", ()):
            source, target = (
                (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
            )
            found[f"/run/secrets/{target}"] = self.secrets / source
        for volume in service.get("volumes", ()):
            source, path, *_ = volume.split(":")
            found[path] = self._made("volumes", source)
        for path in service.get("tmpfs", ()):
            found[path.split(":")[0]] = self._made(
                "tmpfs", name, path.split(":")[0].strip("/").replace("/", "-")
            )
        _mount_within(found)
        return found | {
            config["target"]: self._config(found, config) for config in service.get("configs", ())
        }

    def _config(self, paths: Mapping[str, Path], config: Mapping[str, str]) -> Path:
        text = (ROOT / self.compose["configs"][config["source"]]["file"]).read_text("utf-8")
        if config["source"] == "redis":
            text = self._without_tls(text)
        for port, here in self.ports.items():
            text = text.replace(f"port {port}\n", f"port {here}\n")
        for path, local in paths.items():
            text = text.replace(f" {path}\n", f" {local}\n")
        written = self.folder / config["source"]
        written.write_text(text, "utf-8")
        return written

    def _without_tls(self, configuration: str) -> str:
        """The bundled Valkey is built without TLS: `TlsEnd` before it ends that, by the certificate."""
        lines = [line for line in configuration.splitlines() if not line.startswith(("port ", "tls-"))]
        return "\n".join([f"port {self._behind_tls}", *lines, ""])

    def _made(self, *parts: str) -> Path:
        folder = self.folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _mount_within(paths: Mapping[str, Path]) -> None:
    """What a container has below the path of another volume is found there, too."""
    for path, here in paths.items():
        for outer in (other for other in paths if path.startswith(f"{other}/")):
            mounted = paths[outer] / path.removeprefix(f"{outer}/")
            mounted.parent.mkdir(parents=True, exist_ok=True)
            if not mounted.is_symlink():
                mounted.symlink_to(here)


def _three_free_ports() -> int:
    """The first of three in a row."""
    port = free_port()
    while not all(is_free(port + n) for n in (0, 1, 2)):
        port = free_port()
    return port


def _with_port(text: str, port: int, here: int) -> str:
    return re.sub(rf"(^|=|localhost:|port ){port}\b", rf"\g<1>{here}", text)


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60}[text[-1]]
