"""ADES, the Minor Planet Center's exchange format, version 2022: reports of streaks that people accepted.

What an optical observation may hold, a cutout's document as one, and a report of many, as XML and as PSV.
Reading a survey's ADES files is in `cutouts.nights`; nothing here, nor anywhere else, sends a report.
"""

from core.ades.observation import Observation, observations
from core.ades.report import FORMS, Form, Report

__all__ = ["FORMS", "Form", "Observation", "Report", "observations"]
