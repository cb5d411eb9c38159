"""Messages by HTTP, signed so that the receiver can tell that they are ours and of this hour."""

import hashlib
import hmac
import json

from core.errors import Unavailable
from core.settings import Webhooks
from core.subscription import Delivery, Subscription
from cutouts.sources import post

GONE = 410
SIGNATURE, DELIVERY = "Deep-Asteroids-Signature", "Deep-Asteroids-Delivery"


class Gone(Unavailable):
    """The receiver wants no more of these, ever."""


def send_webhook(delivery: Delivery, to: Subscription, policy: Webhooks, *, now_s: int) -> None:
    """Post a message; returns when the receiver answered with 2xx.

    The body is the same at each try. Raises Gone for 410, Unavailable for any other answer and for none,
    Unsafe for a target that is not allowed (any more).
    """
    body = body_of(delivery, to)
    headers = {
        "User-Agent": "deep-asteroids",
        "Content-Type": "application/json",
        DELIVERY: delivery.id,
        SIGNATURE: signature(body, to.secret, now_s=now_s),
    }
    status = post(to.target, policy, body, headers)
    if status == GONE:
        raise Gone(f"it answered with {status}: gone")
    if not 200 <= status < 300:
        raise Unavailable(f"it answered with {status}; expected 2xx")


def signature(body: bytes, secret: str, *, now_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 by the secret of the seconds since 1970, a point and the body."""
    digest = hmac.new(secret.encode(), f"{now_s}.".encode() + body, hashlib.sha256)
    return f"t={now_s},v1={digest.hexdigest()}"


def body_of(delivery: Delivery, to: Subscription) -> bytes:
    """JSON: the message's id, whose it is, and the matches or jobs."""
    told = {
        "delivery": delivery.id,
        "created": None if delivery.created is None else delivery.created.isoformat(),
        "subscription": {"id": to.id, "name": to.name, "filter": to.filter},
        "event": delivery.event if delivery.entries else "trial",
        delivery.event: delivery.entries,
    }
    return json.dumps(told, ensure_ascii=False).encode()
