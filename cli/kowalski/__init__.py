"""Candidates out of Kowalski: asked for through penquins, page by page, and ingested as nights.

What a document says is in `cutouts.kowalski_document`; what is on record is the service's.
"""

from cli.kowalski.archive import Kowalski, Page
from cli.kowalski.intake import Intake
from cli.kowalski.progress import Progress, ProgressFile
from cli.kowalski.query import asked_filter

__all__ = ["Intake", "Kowalski", "Page", "Progress", "ProgressFile", "asked_filter"]
