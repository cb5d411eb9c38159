"""Depots: nights in folders of a web server, listed or as tarballs, fetched and ingested."""

from cli.depot.intake import DepotIntake, Fetched
from cli.depot.server import Depot

__all__ = ["Depot", "DepotIntake", "Fetched"]
