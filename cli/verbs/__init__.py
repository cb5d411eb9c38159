"""The verbs of ./streaks: one module each, with `add_arguments(parser)` and `run(args) -> int`.

A module is imported only when its verb is called, so that the others stay quick.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """Where a verb is, and what it says of itself.

    Attributes
    ----------
    module : imported when the verb is called.
    help : one line for the list of verbs.
    passes_on : its arguments are another program's; they arrive unread as `args.rest`.
    """

    module: str
    help: str
    passes_on: bool = False


VERBS: dict[str, Verb] = {
    "demo": Verb("cli.verbs.demo", "the whole service, with a sample night scored; --once stops afterwards"),
    "test": Verb(
        "cli.verbs.test", "run the tests, with what they need: test [PYTEST ARGUMENTS]", passes_on=True
    ),
    "up": Verb("cli.verbs.up", "run the service on this machine, its state kept in .state/"),
    "down": Verb("cli.verbs.down", "stop the service on this machine"),
    "doctor": Verb("cli.verbs.doctor", "say why something is not working, and what cures it"),
    "score": Verb("cli.verbs.score", "score files, folders, zips, globs and URLs: score PATH... [--wait]"),
    "cut": Verb(
        "cli.verbs.cut", "cutouts out of a full difference image: cut IMAGE.fits --catalog TABLE -o OUT"
    ),
    "try": Verb(
        "cli.verbs.try_out", "what networks see of a file, its scores, how unlike their training it is"
    ),
    "rescore": Verb("cli.verbs.rescore", "score cutouts on record again: rescore [FILTER] [--dry-run]"),
    "pack": Verb(
        "cli.verbs.pack",
        "store cutouts as networks see them, for rescoring: pack [FILTER] [--nights …]",
        passes_on=True,
    ),
    "jobs": Verb("cli.verbs.jobs", "list, show, watch, pause, resume, rank or cancel jobs"),
    "results": Verb("cli.verbs.results", "scores as a file: results export [--job ID | --filter FILTER]"),
    "nights": Verb("cli.verbs.nights", "ingest nights with their metadata; list them, show what is missing"),
    "watch": Verb(
        "cli.verbs.watch", "a folder or depot where a night's files appear: each is sent once it is whole"
    ),
    "fetch": Verb("cli.verbs.fetch", "from elsewhere: fetch kowalski --night NIGHT | fetch depot URL"),
    "import": Verb("cli.verbs.imports", "a predecessor's record: import deepstreaks MONGO_URI"),
    "models": Verb("cli.verbs.models", "the registry of networks: promote, import, export, set thresholds…"),
    "datasets": Verb("cli.verbs.datasets", "freeze labelled cutouts to train and measure on; list, show"),
    "simulate": Verb("cli.verbs.simulate", "make labelled cutouts and their truth"),
    "train": Verb("cli.verbs.train", "train a network as a job: train CLASSIFIER --dataset PRESET"),
    "evaluate": Verb("cli.verbs.evaluate", "figures of a network on cutouts whose truth is known"),
    "queues": Verb("cli.verbs.queues", "what waits for workers, and for how long: queues [--older-than S]"),
    "notify": Verb("cli.verbs.notify", "be told of new matches of a filter, or of jobs that end"),
    "users": Verb("cli.verbs.users", "accounts: list, add, remove them, change a role or a password"),
    "backup": Verb("cli.verbs.backup", "the record and all blobs into a folder, while the service runs"),
    "restore": Verb("cli.verbs.restore", "put a backup into an empty service: restore DIR [--check]"),
    "migrate": Verb("cli.verbs.migrate", "bring the record to this release's schema: migrate [--dry-run]"),
    "invite": Verb("cli.verbs.invite", "let another host work for the service that runs here"),
    "worker": Verb(
        "cli.verbs.worker",
        "run one worker on this host: worker [--invitation FILE] [--exit-when-idle | --train]",
        passes_on=True,
    ),
}
