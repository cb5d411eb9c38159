"""Settings: the environment (`DA_*`) over `config.json` over defaults; secrets from `secrets.json`."""

from datetime import datetime
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from core.errors import Misconfigured
from core.family import FAMILIES, NAME, RESERVED, Family
from core.gpus import WANTED
from core.instrument import DEFAULT_INSTRUMENT, Instrument
from core.kowalski import KowalskiArchive
from core.legacy import is_legacy
from core.service_secrets import Secrets, read_secrets
from core.station import Station

CONFIG_FILE = Path("config.json")


EngineName = Literal["auto", "openvino", "tensorflow", "jax"]
PrecisionName = Literal["auto", "float32", "tf32x2"]
Shipped = Literal["best", "light"]


class Limits(BaseModel):
    """What one submission and one cutout may cost."""

    upload_bytes: int = Field(2 * 2**30, gt=0, description="one request's body")
    cutout_bytes: int = Field(8 * 2**20, gt=0, description="one cutout's file")
    cutout_pixels: int = Field(4_000_000, gt=0, description="width x height, checked before decoding")
    cutouts_per_job: int = Field(200_000, gt=0)
    unpacked_bytes: int = Field(8 * 2**30, gt=0, description="all members of one archive, unpacked")
    unpack_ratio: int = Field(200, gt=0, description="unpacked to packed size of one member")
    fetch_timeout_s: float = Field(20.0, gt=0)


class References(BaseModel):
    """Where references may point. The defaults allow none."""

    schemes: tuple[str, ...] = ("http", "https", "file", "zip")
    hosts: tuple[str, ...] = Field((), description="host names allowed for http, https and s3; '*' for any")
    roots: tuple[Path, ...] = Field((), description="folders that file and zip references may be in")
    private_addresses: bool = Field(False, description="allow hosts that resolve to non-global addresses")


class Webhooks(BaseModel):
    """Where notifications may be posted to."""

    schemes: tuple[str, ...] = ("https",)
    hosts: tuple[str, ...] = Field(("*",), description="host names; '*' for any")
    private_addresses: bool = Field(False, description="allow hosts that resolve to non-global addresses")
    timeout_s: float = Field(10.0, gt=0, le=15)


class Mail(BaseModel):
    """The server that notifications are mailed through; its account is `mail` in the secrets."""

    host: str | None = Field(None, description="none: nothing is mailed")
    port: int = Field(587, gt=0, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = Field("", description="the address that mail is from")


class Notifications(BaseModel):
    """Whether and when subscribers are told, and how long it is tried."""

    send: bool = Field(True, description="false, as for a restored copy: nobody is told, and all of it waits")
    gather_s: float = Field(3.0, ge=0, le=30, description="how long a webhook's message gathers matches")
    mail_gather_s: float = Field(20.0, ge=0, le=30, description="how long a mail does")
    lease_s: float = Field(25.0, gt=0, description="after which a try that was killed is made again")
    retry_s: tuple[float, ...] = Field(
        (5, 30, 120, 600, 1800, 3600, 10800, 21600),
        description="between tries; after the last a message is dead",
    )


GPU_BATCHES = (1, 32, 256)


class Scoring(BaseModel):
    """How work is cut up, leased and batched."""

    shard_size: int = Field(256, gt=0, le=2000, description="cutouts per shard")
    live_below: int = Field(1000, gt=0, description="jobs up to this size go to the live queue")
    engine: EngineName = Field(
        "auto", description="auto: openvino on a CPU, tensorflow on a GPU, or jax where that is what is there"
    )
    precision: PrecisionName = Field(
        "auto",
        description="auto: float32, or with jax on a GPU tf32x2 where a network is admitted in it",
    )
    graphs_dir: Path | None = Field(
        None, description="where openvino keeps networks as graphs; none: a folder in state_dir"
    )
    batch_sizes: tuple[int, ...] = Field(
        (1, 8, 32), description="padded, all warmed before ready; on a GPU 1, 32, 256 where nothing is set"
    )
    decode_threads: int | None = Field(
        None, gt=0, description="none: 4; one for every 4 cores where the network runs on them, too"
    )
    cascade: float | None = Field(
        None,
        ge=0,
        le=1,
        description="the score of rb below which sl, and any other family, is not run; none: all are. Never"
        " above rb's threshold; a job may name another, or 0 for none",
    )
    lease_s: float = Field(10.0, gt=0)
    heartbeat_s: float = Field(2.5, gt=0)
    sweep_s: float = Field(3.0, gt=0)
    fetch_attempts: int = Field(3, gt=0)
    gpus: str | None = Field(
        None, description="all, or indices such as 0,2: a process for each; none: the first, or the CPU"
    )
    allow_cpu: bool = Field(
        False, description="score on the CPU where GPUs are there or wanted, and unusable"
    )

    def on_gpu(self) -> "Scoring":
        """The same with batches that fill a GPU, where nobody has set others."""
        if "batch_sizes" in self.model_fields_set:
            return self
        return self.model_copy(update={"batch_sizes": GPU_BATCHES})

    @field_validator("gpus")
    @classmethod
    def _all_or_indices(cls, gpus: str | None) -> str | None:
        if gpus is not None and not WANTED.match(gpus):
            raise ValueError(f"GPUs {gpus!r}; expected all, or indices such as 0,2")
        return gpus


class Training(BaseModel):
    """How training jobs share a host with scoring, and what their candidates are measured on."""

    device: str = Field(
        "auto", pattern=r"^(auto|cpu|gpu:[0-9]+)$", description="auto: the last of several GPUs, else shared"
    )
    niceness: int = Field(10, ge=0, le=19)
    validation_cutouts: int = Field(2000, gt=0, description="of a preset, by a seed of their own")
    test_cutouts: int = Field(2000, gt=0, description="of a preset, by a seed of their own")
    benchmark_cutouts: int | None = Field(
        None, gt=0, description="of the standing benchmark; none for all, fewer are another test set"
    )
    stalled_s: float = Field(
        1800.0, gt=0, description="without a batch or another step; then its process is replaced and goes on"
    )


class Watchdog(BaseModel):
    """When a scoring process is replaced: a stopped one after `silent_s`, a hung one after both others."""

    canary_s: float = Field(60.0, gt=0, description="between two canaries, whose score is known")
    answer_s: float = Field(25.0, gt=0, description="what one batch may take")
    silent_s: float = Field(30.0, gt=0, description="how long the process may give no sign of life")
    load_s: float = Field(600.0, gt=0, description="what starting, or loading networks, may take")


class Retention(BaseModel):
    """How many days things stay; none: for ever. The sweeper removes what is older, a little at a time."""

    jobs_days: float | None = Field(
        None, gt=0, description="ended jobs, with their shards and trainings, but for those of nights"
    )
    outcomes_days: float | None = Field(
        None, gt=0, description="outcomes of that age, of versions archived so long ago, that no cutout shows"
    )
    audit_days: float | None = Field(None, gt=0)
    logs_days: float | None = Field(None, gt=0, description="files in state_dir/logs that were set aside")

    @property
    def any(self) -> bool:
        """Whether anything goes at all."""
        return any(days is not None for days in self.model_dump().values())


class Settings(BaseSettings):
    """Everything that an operator can set; nested fields as `DA_SCORING__SHARD_SIZE`."""

    model_config = SettingsConfigDict(
        env_prefix="DA_", env_nested_delimiter="__", extra="forbid", json_file_encoding="utf-8"
    )

    state_dir: Path = Path(".state")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    mongo_url: SecretStr | None = Field(
        None, description="a replica set; {database}@HOST: the secrets' account; none: the embedded server"
    )
    mongo_database: str = "deep_asteroids"
    redis_url: SecretStr | None = Field(
        None, description="{redis}@HOST: with the secrets' password; none: the embedded server"
    )
    blob_url: str | None = Field(
        None,
        description="an fsspec URL, or https://…/v1/blobs of an API; none: a folder in state_dir",
    )
    blob_token: SecretStr | None = Field(None, description="for a blob_url of the API")
    tls_authority: Path | None = Field(None, description="certificates that a blob_url of the API is held to")
    guest: str | None = Field(
        None, description="the account of a host that was invited; it leaves indexes and registry to the API"
    )
    guest_until: datetime | None = Field(None, description="when that invitation is over")
    listen: str | None = Field(
        None, description="an address of this machine at which other hosts reach the service, over TLS"
    )
    listen_port: int = Field(8443, gt=0, le=65533, description="the API's; the next two: MongoDB, Redis")
    listen_name: str | None = Field(None, description="what other hosts call `listen`, if not that")
    proxies: tuple[str, ...] = Field(
        (),
        description="addresses or networks of reverse proxies, whose word on a client's address and scheme"
        " (X-Forwarded-For, -Proto) is taken; '*' for anybody's",
    )
    behind_gateway: bool = Field(
        False, description="other hosts reach mongo_url and redis_url at `listen_name`, through the gateway"
    )
    prepares: bool = Field(
        True,
        description="whether workers make indexes and register the networks of the repository; false where"
        " their account at MongoDB may not, and the API does",
    )
    flower_port: int = Field(5555, ge=0, le=65535)
    shipped: Shipped = Field(
        "best",
        description="which networks of the repository: all, the newest in production, or the light ones,"
        " ten times faster on a CPU",
    )
    flower_url: str | None = Field(
        None, pattern=r"^(https?://|/)", description="where people reach Flower; none: on its own host alone"
    )
    metrics_host: str = Field("127.0.0.1", description="where workers and the sweeper serve their metrics")
    metrics_port: int | None = Field(
        None, gt=0, le=65535, description="of /metrics and /healthz of workers and sweeper; none: not served"
    )
    secrets_file: Path = Path("secrets.json")
    token_days: float = Field(90.0, gt=0)
    session_days: float = Field(7.0, gt=0, description="until a browser has to log in again")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    limits: Limits = Limits()
    references: References = References()
    webhooks: Webhooks = Webhooks()
    mail: Mail = Mail()
    notifications: Notifications = Notifications()
    scoring: Scoring = Scoring()
    training: Training = Training()
    station: Station = Field(Station(), description="the header of reports of accepted streaks")
    kowalski: KowalskiArchive = KowalskiArchive()
    watchdog: Watchdog = Watchdog()
    retention: Retention = Retention()
    families: dict[str, Family] = Field(
        dict(FAMILIES), description="of networks, beside rb and sl: what their scores mean"
    )

    instruments: dict[str, Instrument] = Field({}, description="profiles beside the built-in ztf, by name")

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if proxy != "*":
                ip_network(proxy)  # its complaint says what came
        return proxies

    @field_validator("families")
    @classmethod
    def _named_beside_ours(cls, families: dict[str, Family]) -> dict[str, Family]:
        wrong = [name for name in families if not NAME.match(name) or name in RESERVED or is_legacy(name)]
        if wrong:
            raise ValueError(f"a family named {wrong[0]!r}; expected a short name such as kd, and no field's")
        return {**FAMILIES, **families}

    @field_validator("instruments", mode="before")
    @classmethod
    def _named(cls, profiles: object) -> object:
        """Give each profile the name that it stands under."""
        if not isinstance(profiles, dict):
            return profiles
        if DEFAULT_INSTRUMENT in profiles:
            raise ValueError(f"{DEFAULT_INSTRUMENT} is built in; expected another name for another profile")
        return {n: {**p, "name": n} if isinstance(p, dict) else p for n, p in profiles.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over environment over config.json over defaults."""
        from pydantic_settings import JsonConfigSettingsSource

        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, JsonConfigSettingsSource(settings_cls, json_file=CONFIG_FILE)

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        """Put accounts where the URLs name them, so that no password has to stand in the environment."""
        for field in ("mongo_url", "redis_url"):
            url: SecretStr | None = getattr(self, field)
            if url is not None and "{" in url.get_secret_value():
                object.__setattr__(self, field, self._filled(url, f"DA_{field.upper()}"))
        return self

    def _filled(self, url: SecretStr, name: str) -> SecretStr:
        text = url.get_secret_value()
        for place, account in self.secrets.accounts.items():
            if place in text:
                if account is None:
                    raise Misconfigured(
                        f"{name} has {place} in it, and the secrets file holds no such account: "
                        f"{self.secrets_file}"
                    )
                text = text.replace(place, account)
        return SecretStr(text)

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets. No secret has a default: raises Misconfigured when the file is absent or malformed."""
        return read_secrets(self.secrets_file)

    @property
    def blobs(self) -> str:
        """The fsspec URL of the blob store."""
        return self.blob_url or f"file://{(self.state_dir / 'blobs').absolute()}"

    @property
    def prepares_record(self) -> bool:
        """Whether a worker of these settings is to make indexes and register networks."""
        return self.prepares and self.guest is None

    @property
    def graphs(self) -> Path:
        """The folder in which engines keep networks as graphs."""
        return self.scoring.graphs_dir or self.state_dir / "graphs"

    def required_mongo_url(self) -> str:
        """The MongoDB URL; raises Misconfigured when none is set."""
        return _required(self.mongo_url, "DA_MONGO_URL")

    @property
    def mongo_account(self) -> str:
        """The account at MongoDB, for messages; empty for none, and for the embedded server's."""
        return unquote(urlsplit(self.mongo_url.get_secret_value()).username or "") if self.mongo_url else ""

    def required_redis_url(self) -> str:
        """The Redis URL; raises Misconfigured when none is set."""
        return _required(self.redis_url, "DA_REDIS_URL")


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raises Misconfigured, naming each wrong field and what was expected."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Misconfigured(f"settings (DA_* variables, {CONFIG_FILE}): {faults}") from error
    except (SettingsError, ValueError, OSError) as error:  # not even JSON
        raise Misconfigured(f"settings (DA_* variables, {CONFIG_FILE}) can't be read: {error}") from error


def _required(url: SecretStr | None, name: str) -> str:
    if url is None:
        raise Misconfigured(f"{name} is not set; `./streaks up` starts servers of its own and sets it")
    return url.get_secret_value()
