"""Who is told of new matches of a saved query, or of jobs that end, by a signed webhook or by mail."""

import secrets
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.services import Operator, Services, ServicesOf
from core.errors import InvalidRequest, NotFound
from core.subscription import Channel, DeliveryState, Event, Subscription, checked_address, new_secret
from core.user import User
from cutouts.sources import check_webhook
from storage.selection import bound_text

router = APIRouter(prefix="/v1/subscriptions", tags=["notifications"])

LATEST = 50


class WantedSubscription(BaseModel):
    """A saved query (`matches`) or jobs that end (`jobs`), and where the word goes: a URL or an address."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f\x85\u2028\u2029]+$")
    event: Event = "matches"
    filter: str = Field("", max_length=4000, description="of `matches`; the language of GET /v1/cutouts")
    everybodys: bool = Field(False, description="of `jobs`: all, and not the caller's alone")
    webhook: str | None = Field(None, max_length=2000, description="a URL, as far as the settings allow it")
    mail: str | None = Field(None, max_length=254, description="an address")

    @model_validator(mode="after")
    def _one_way(self) -> "WantedSubscription":
        if (self.webhook is None) == (self.mail is None):
            raise ValueError("expected either `webhook` or `mail`")
        if (self.event == "jobs") == bool(self.filter.strip()):
            raise ValueError("`filter` comes with the event `matches`, and only with it")
        return self


class SubscriptionView(BaseModel):
    """A subscription. `messages` counts by state; those that are dead were given up."""

    id: str
    name: str
    owner: str
    event: Event
    filter: str
    everybodys: bool
    channel: Channel
    target: str
    created: datetime | None
    fault: str | None = Field(
        description="why it is not told, such as a filter that names an unknown version"
    )
    messages: dict[DeliveryState, int]


class NewSubscription(SubscriptionView):
    """With the secret by which webhooks are signed, which is shown this once."""

    secret: str | None


class Message(BaseModel):
    """What was sent, or is to be: how often it was tried, and what went wrong last."""

    id: str
    state: DeliveryState
    entries: int
    attempts: int
    created: datetime | None
    next_at: datetime | None
    delivered: datetime | None
    last_error: str | None


class ShownSubscription(SubscriptionView):
    """With its latest messages, the newest first."""

    latest: list[Message]


class Subscriptions(BaseModel):
    """The caller's, or everybody's for an admin; the oldest first."""

    subscriptions: list[SubscriptionView]


class Retried(BaseModel):
    """How many messages that were given up are sent again."""

    retried: int


@router.get("")
def list_subscriptions(services: ServicesOf, caller: Operator) -> Subscriptions:
    """One's own; an admin sees all."""
    found = services.record.subscriptions.all(owner=None if caller.role == "admin" else caller.name)
    counts = services.record.deliveries.counts([subscription.id for subscription in found])
    return Subscriptions(
        subscriptions=[SubscriptionView(**_told(one, counts.get(one.id, {}))) for one in found]
    )


@router.post("", status_code=201)
def subscribe(wanted: WantedSubscription, services: ServicesOf, caller: Operator) -> NewSubscription:
    """Be told, from now on, of what is scored and matches for the first time, or of jobs that end."""
    record, settings = services.record, services.settings
    if wanted.webhook is not None:
        check_webhook(wanted.webhook, settings.webhooks)
    else:
        checked_address(str(wanted.mail))
        if settings.mail.host is None:
            raise InvalidRequest("this service sends no mail: mail.host is not set; expected a webhook")
    if wanted.event == "matches":
        bound_text(record, wanted.filter)
    secret = new_secret() if wanted.webhook is not None else ""
    made = record.subscriptions.add(
        Subscription(
            id=secrets.token_hex(8),
            name=wanted.name,
            owner=caller.name,
            event=wanted.event,
            channel="mail" if wanted.webhook is None else "webhook",
            target=str(wanted.mail if wanted.webhook is None else wanted.webhook),
            filter=wanted.filter.strip(),
            everybodys=wanted.everybodys,
            secret=secret,
        )
    )
    record.audit.note("subscribed", who=caller.name, subscription=made.id, channel=made.channel)
    return NewSubscription(**_told(made, {}), secret=secret or None)


@router.get("/{subscription}")
def show_subscription(subscription: str, services: ServicesOf, caller: Operator) -> ShownSubscription:
    """One of them, and what became of its latest messages."""
    found = _own(services, subscription, caller)
    deliveries = services.record.deliveries.latest(found.id, limit=LATEST)
    counts = services.record.deliveries.counts([found.id])
    latest = [
        Message(
            id=one.id,
            state=one.state,
            entries=len(one.entries),
            attempts=one.attempts,
            created=one.created,
            next_at=one.next_at if one.state == "pending" else None,
            delivered=one.delivered,
            last_error=one.last_error,
        )
        for one in deliveries
    ]
    return ShownSubscription(**_told(found, counts.get(found.id, {})), latest=latest)


@router.delete("/{subscription}", status_code=204)
def unsubscribe(subscription: str, services: ServicesOf, caller: Operator) -> None:
    """End it, with all its messages; one that is being sent just now may still arrive."""
    found = _own(services, subscription, caller)
    services.record.subscriptions.remove(found.id)
    services.record.audit.note("unsubscribed", who=caller.name, subscription=found.id)


@router.post("/{subscription}/trial", status_code=202)
def send_trial(subscription: str, services: ServicesOf, caller: Operator) -> Message:
    """Send a message without matches, to see whether it arrives."""
    one = services.record.deliveries.add_trial(_own(services, subscription, caller))
    return Message.model_validate({**vars(one), "entries": 0})


@router.post("/{subscription}/retry")
def retry(subscription: str, services: ServicesOf, caller: Operator) -> Retried:
    """Send what was given up again."""
    found = _own(services, subscription, caller)
    return Retried(retried=services.record.deliveries.revive(found.id))


def _own(services: Services, subscription: str, caller: User) -> Subscription:
    """The caller's, or anybody's for an admin; raises NotFound for others', as if there were none."""
    found = services.record.subscriptions.get(subscription)
    if found.owner != caller.name and caller.role != "admin":
        raise NotFound(f"there is no subscription {subscription[:80]!r}")
    return found


def _told(subscription: Subscription, messages: dict[str, int]) -> dict[str, Any]:
    told = vars(subscription) | {"messages": messages}
    del told["secret"]
    return told
