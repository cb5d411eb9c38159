"""The API as this command line uses it: a module for each thing that it is asked about, over one transport.

Nothing here reads arguments or prints.
"""

from cli.client.changes import Comparison
from cli.client.client import Client
from cli.client.logins import GivenLogin, LocalLogin
from cli.client.transport import Json

__all__ = ["Client", "Comparison", "GivenLogin", "Json", "LocalLogin"]
