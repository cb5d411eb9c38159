"""Depots: nights in folders of a web server, listed or as tarballs, fetched and ingested."""

from cli.depot.intake import DepotIntake, Fetched
from cli.depot.opened import nights_or_latest, opened_depot

__all__ = ["DepotIntake", "Fetched", "nights_or_latest", "opened_depot"]
