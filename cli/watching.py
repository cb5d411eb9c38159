"""Waiting for a job to end, its progress on one line of standard error."""

import os
import sys
import time
from typing import Any, TextIO

from cli.client import Client
from cli.output import say
from cli.tables import count, duration

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
PLAIN_EVERY_S = 10.0


class ProgressLine:
    """One line that is written over on a terminal; elsewhere a line now and then, when it has changed."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._over = self._stream.isatty()
        self._shown = ""
        self._shown_at = float("-inf")

    def show(self, text: str) -> None:
        """Show a text in place of the one before."""
        now = time.monotonic()
        if text == self._shown or (not self._over and now - self._shown_at < PLAIN_EVERY_S):
            return
        if self._over:
            width = self._width()
            self._stream.write(f"\r{text[:width]:{min(len(self._shown), width)}}")
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()
        self._shown, self._shown_at = text, now

    def end(self) -> None:
        """Clear the line."""
        if self._over and self._shown:
            self._stream.write(f"\r{'':{min(len(self._shown), self._width())}}\r")
            self._stream.flush()

    def _width(self) -> int:
        """What fits into one line of the terminal: one column more, and it would scroll."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            columns = 0
        return (columns or 80) - 1


def await_job(client: Client, job_id: str) -> dict[str, Any]:
    """Wait until nothing more will happen to a job; returns it as it then is.

    Its results are complete as soon as its last shard is closed, a little before its state says so.
    """
    line = ProgressLine()
    pause_s = FIRST_PAUSE_S
    epochs = 0
    try:
        while not has_ended(job := client.jobs.get(job_id)):
            epochs = _tell_epochs(job, epochs, line)
            line.show(told(job))
            time.sleep(pause_s)
            pause_s = min(1.3 * pause_s, LONGEST_PAUSE_S)
    finally:
        line.end()
    _tell_epochs(job, epochs, line)
    say(told(job))
    return job


def has_ended(job: dict[str, Any]) -> bool:
    """Whether nothing more will happen to a job."""
    ended = job["state"] in ("finished", "cancelled", "failed")
    return ended or (job.get("kind", "score") == "score" and job["shards_open"] == 0)


def told(job: dict[str, Any]) -> str:
    """The progress of a job in one sentence."""
    return _training_told(job) if job.get("training") is not None else _scoring_told(job)


def _training_told(job: dict[str, Any]) -> str:
    training = job["training"]
    done, wanted = len(training["epochs"]), training["request"]["epochs"]
    words = [f"job {job['id']}: {training['doing']}, {done} of {count(wanted, 'epoch')}"]
    if job["state"] == "finished":
        words = [f"job {job['id']}: {training['version']} after {count(done, 'epoch')}"]
    elif job["state"] in ("failed", "cancelled"):
        words = [f"job {job['id']}: {job['state']} after {count(done, 'epoch')}"]
    if job["failure"]:
        words.append(job["failure"])
    if job["seconds_left"]:
        words.append(f"at most {duration(job['seconds_left'])} left")
    return ", ".join(words)


def _tell_epochs(job: dict[str, Any], told_before: int, line: ProgressLine) -> int:
    """A line for each epoch that is new; returns how many have been told of."""
    epochs = job["training"]["epochs"] if job.get("training") is not None else []
    for figures in epochs[told_before:]:
        line.end()
        say(
            f"epoch {figures['epoch']}: loss {figures['loss']:.4f}, validation loss "
            f"{figures['validation_loss']:.4f}, accuracy {figures['validation_accuracy']:.4f}, "
            f"{figures['images_per_s']:.0f} images/s"
        )
    return len(epochs)


def _scoring_told(job: dict[str, Any]) -> str:
    done = job["scored"] + job["rejected"]
    words = [f"job {job['id']}: {done:,} of {count(job['items'], 'cutout')}"]
    if job["rejected"]:
        words.append(f"{job['rejected']:,} rejected")
    if job["rate"]:
        words.append(f"{job['rate']:.1f}/s")
    if job["seconds_left"] and not has_ended(job):
        words.append(f"{duration(job['seconds_left'])} left")
    if len(job.get("workers") or ()) > 1 and not has_ended(job):
        words.append(_workers_told(job["workers"]))
    if job["state"] == "planning":
        words.append("still being planned")
    if job.get("paused"):
        words.append("paused")
    elif not done and not has_ended(job):
        words.append("waiting for a worker")
    return ", ".join(words)


def _workers_told(workers: dict[str, float]) -> str:
    """Who does how much: each worker of one host, the hosts where there are several."""
    by_host: dict[str, list[float]] = {}
    for name, rate in sorted(workers.items()):
        by_host.setdefault(name.partition(":")[0], []).append(rate)
    if len(by_host) == 1:
        [rates] = by_host.values()
        return f"{count(len(rates), 'worker')} ({', '.join(f'{rate:.0f}' for rate in rates)}/s)"
    hosts = (
        f"{host} {sum(rates):.0f}/s" + (f" by {len(rates)}" if len(rates) > 1 else "")
        for host, rates in by_host.items()
    )
    return f"{count(len(workers), 'worker')} ({', '.join(hosts)})"
