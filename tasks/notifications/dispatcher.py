"""Sends what is due, a few at the same time, and never two to one subscriber."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pymongo.errors import PyMongoError

from core.errors import Misconfigured, NotFound, ServiceError, Unsafe
from core.settings import Settings
from core.subscription import OWNERS, Channel, Delivery, Subscription
from storage.record import Record
from tasks.notifications.mail import send_mail
from tasks.notifications.webhook import Gone, send_webhook

_log = logging.getLogger(__name__)
AT_ONCE: dict[Channel, int] = {"webhook": 8, "mail": 2}
"""Threads of each way, so that mail and webhooks never wait for each other."""
POLL_S = 1.0


class Dispatcher:
    """One subscriber's answer is waited for in a thread; others are served meanwhile. Who has answered makes
    place at once for what is due next, and a pile for one subscriber is sent as fast as it answers.

    Whatever a receiver does, a message is sent again, later and later, until it answers with yes or its tries
    are used up. A try that is killed is made good when its lease is over, under the same id.
    """

    def __init__(self, record: Record, settings: Settings) -> None:
        self._record, self._settings = record, settings
        self._busy: dict[str, Channel] = {}
        self._lock = threading.Lock()
        self._claiming = {channel: threading.Lock() for channel in AT_ONCE}
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop; not at all where nothing is to be sent."""
        if not self._settings.notifications.send:
            return
        self._stop = stop
        with ThreadPoolExecutor(sum(AT_ONCE.values()), thread_name_prefix="notify") as threads:
            while not stop.is_set():
                try:
                    if self.dispatch(threads.submit):
                        continue
                except PyMongoError as error:
                    _log.warning("not sent, trying again: %s", type(error).__name__)
                except Exception:  # noqa: BLE001  the process lives on, and so must its dispatcher
                    _log.exception("not sent, trying again")
                stop.wait(POLL_S)

    def dispatch(self, submit: Callable[[Callable[[Delivery], None], Delivery], object]) -> int:
        """Hand what is due to threads, as many as are free; returns how many messages."""
        if not self._record.deliveries.any_due():
            return 0
        return sum(self._claimed(channel, submit) for channel in AT_ONCE)

    def _claimed(
        self, channel: Channel, submit: Callable[[Callable[[Delivery], None], Delivery], object]
    ) -> bool:
        delivery = self._next(channel)
        if delivery is None:
            return False
        submit(self._send_on, delivery)
        return True

    def _next(self, channel: Channel) -> Delivery | None:
        """What is due on this way to who waits for none; None at the end, and while no thread is free."""
        with self._claiming[channel]:  # two who look at once would send two messages to one subscriber
            with self._lock:
                busy = list(self._busy)
                going = sum(of == channel for of in self._busy.values())
            if self._stop.is_set() or going >= AT_ONCE[channel]:
                return None
            delivery = self._record.deliveries.claim(
                channel, but=busy, lease_s=self._settings.notifications.lease_s
            )
            if delivery is not None:
                with self._lock:
                    self._busy[delivery.subscription] = channel
        return delivery

    def _send_on(self, delivery: Delivery) -> None:
        """Send it, and then what is due on the same way, for as long as there is any."""
        due: Delivery | None = delivery
        try:
            while due is not None:
                self._send(due)
                due = self._next(delivery.channel)
        except PyMongoError as error:
            _log.warning("not sent on, looking again soon: %s", type(error).__name__)
        except Exception:  # noqa: BLE001  nobody else would hear of it
            _log.exception("not sent on, looking again soon")

    def _send(self, delivery: Delivery) -> None:
        try:
            self.send(delivery)
        except Exception:  # noqa: BLE001  its lease runs out, and it is sent again
            _log.exception("not sent", extra={"delivery": delivery.id})
        finally:
            with self._lock:
                self._busy.pop(delivery.subscription, None)

    def send(self, delivery: Delivery) -> None:
        """Try once, and note what became of it."""
        try:
            subscription = self._record.subscriptions.get(delivery.subscription)
        except NotFound:  # removed, perhaps while somebody was announcing
            self._record.subscriptions.remove(delivery.subscription)
            return
        if not self._record.accounts.may(subscription.owner, OWNERS):
            self._failed(delivery, f"its owner is no {OWNERS} any more", worth_it=False)
            return
        try:
            self._transmit(delivery, subscription)
        except (Unsafe, Misconfigured, Gone) as error:
            self._failed(delivery, str(error), worth_it=False)
        except ServiceError as error:
            self._failed(delivery, str(error), worth_it=True)
        except Exception as error:  # noqa: BLE001  a fault of ours is a try that failed, too
            _log.exception("not sent", extra={"delivery": delivery.id})
            self._failed(delivery, f"{type(error).__name__}: {error}", worth_it=True)
        else:
            self._record.deliveries.delivered(delivery)
            _log.info("told", extra={"subscription": subscription.id, "delivery": delivery.id})

    def _transmit(self, delivery: Delivery, to: Subscription) -> None:
        if delivery.channel == "mail":
            send_mail(delivery, to, self._settings.mail, self._settings.secrets.mail)
        else:
            send_webhook(delivery, to, self._settings.webhooks, now_s=int(time.time()))

    def _failed(self, delivery: Delivery, error: str, *, worth_it: bool) -> None:
        waits = self._settings.notifications.retry_s
        again = waits[delivery.attempts - 1] if worth_it and delivery.attempts <= len(waits) else None
        self._record.deliveries.failed(delivery, error, again_s=again)
        told = {"subscription": delivery.subscription, "delivery": delivery.id, "again_s": again}
        _log.warning("not delivered, as the record tells", extra=told)  # a URL may be a secret
