"""Messages by e-mail, through the server that the settings name."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime

from core.errors import Misconfigured, Unavailable
from core.service_secrets import Account
from core.settings import Mail
from core.subscription import Delivery, Subscription

TIMEOUT_S = 15.0
_MOST_LINES = 100


def send_mail(delivery: Delivery, to: Subscription, settings: Mail, account: Account) -> None:
    """Mail a message; returns when the server has taken it. Its Message-ID is the same at each try.

    Raises Misconfigured where no server or sender is set, Unavailable when the server does not take it.
    """
    if settings.host is None or not settings.sender:
        raise Misconfigured("no mail server: set mail.host and mail.sender in config.json")
    message = message_of(delivery, to, sender=settings.sender)
    try:
        with _connected(settings) as server:
            if settings.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if account.user:
                server.login(account.user, account.password.get_secret_value())
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(
            f"{settings.host} did not take it: {type(error).__name__}: {error!s:.200}"
        ) from error


def message_of(delivery: Delivery, to: Subscription, *, sender: str) -> EmailMessage:
    """Plain text: one line for each of the first hundred."""
    message = EmailMessage()
    count = len(delivery.entries)
    noun = {"matches": "match" if count == 1 else "matches", "jobs": "job" if count == 1 else "jobs"}
    what = (
        f"{count:,} new {noun['matches']}"
        if delivery.event == "matches"
        else f"{count:,} {noun['jobs']} ended"
    )
    message["Subject"] = f"{to.name}: {what if count else 'a trial'}"
    message["From"], message["To"] = sender, to.target
    message["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if delivery.created is not None:
        message["Date"] = format_datetime(delivery.created)
    lines = [_line(entry) for entry in delivery.entries[:_MOST_LINES]]
    if count > _MOST_LINES:
        lines.append(f"… and {count - _MOST_LINES:,} more")
    about = [f"filter: {to.filter}"] if to.filter else []
    message.set_content("\n".join([*lines, "", *about, f"subscription {to.id}"]) + "\n")
    return message


def _line(entry: dict[str, object]) -> str:
    words = [str(entry["id"])]
    scores = entry.get("scores")
    if isinstance(scores, dict):
        words += [f"{version} {score:.3f}" for version, score in scores.items()]
    words += [
        f"{key} {value}"
        for key in ("night", "ra", "dec", "kind", "state", "failure")
        if (value := entry.get(key)) is not None
    ]
    return "  ".join(words)


def _connected(settings: Mail) -> smtplib.SMTP:
    host = str(settings.host)
    if settings.security == "tls":
        return smtplib.SMTP_SSL(host, settings.port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, settings.port, timeout=TIMEOUT_S)
