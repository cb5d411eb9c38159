"""A deep-asteroids service from Python: submit cutouts, wait, get a table; labels and models.

Needs requests alone, and nothing of the service's own code. pandas and astropy are used where they are there.
"""

from deep_asteroids_client.dataset import LabelDataset
from deep_asteroids_client.errors import (
    Conflict,
    InvalidRequest,
    JobFailed,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    StreaksError,
    TooOften,
    Unavailable,
)
from deep_asteroids_client.job import Job
from deep_asteroids_client.project import Project
from deep_asteroids_client.service import Service
from deep_asteroids_client.table import Table

__all__ = [
    "Conflict",
    "InvalidRequest",
    "Job",
    "JobFailed",
    "LabelDataset",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Project",
    "Refused",
    "Service",
    "StreaksError",
    "Table",
    "TooOften",
    "Unavailable",
]
