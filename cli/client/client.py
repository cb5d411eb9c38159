"""A service over HTTP, as this command line uses it."""

from cli.client.changes import Changes
from cli.client.cutouts import Cutouts
from cli.client.datasets import Datasets
from cli.client.imports import Imports
from cli.client.jobs import Jobs
from cli.client.logins import Login
from cli.client.models import Models
from cli.client.nights import Nights
from cli.client.queues import Queues
from cli.client.subscriptions import Subscriptions
from cli.client.transport import Transport
from cli.client.users import Users


class Client:
    """A service, by what it is asked about.

    Parameters
    ----------
    url : its address.
    patience_s : how long to try again while it does not answer or says that it is busy.

    Every call raises Unavailable when that time is over, and the caller's errors that the service tells.
    """

    def __init__(self, url: str, login: Login, *, patience_s: float = 20.0) -> None:
        transport = Transport(url, login, patience_s=patience_s)
        self.url = transport.url
        self.jobs = Jobs(transport)
        self.cutouts = Cutouts(transport)
        self.changes = Changes(transport)
        self.models = Models(transport)
        self.datasets = Datasets(transport)
        self.nights = Nights(transport)
        self.imports = Imports(transport)
        self.queues = Queues(transport)
        self.users = Users(transport)
        self.subscriptions = Subscriptions(transport)
