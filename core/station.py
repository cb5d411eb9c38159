"""The station that reports: what the header of an ADES report says of it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[^|\x00-\x1f\x7f]+$", min_length=1)
]
Line = Annotated[Words, StringConstraints(max_length=100)]
Short = Annotated[Words, StringConstraints(max_length=25)]
Above0 = Annotated[float, Field(gt=0, lt=1000, allow_inf_nan=False)]


class Station(BaseModel):
    """Everything is optional until a report is asked for; lengths are those that ADES allows."""

    model_config = ConfigDict(extra="forbid")
    mpc_code: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_]{3,4}$", description="the Minor Planet Center's code of the observatory"
    )
    observatory: Line | None = None
    submitter: Line | None = Field(None, description="who answers for a report, such as A. N. Observer")
    institution: Line | None = None
    observers: tuple[Line, ...] = ()
    measurers: tuple[Line, ...] = ()
    telescope: Line | None = Field(None, description="its name")
    design: Short | None = Field(None, description="of the telescope, such as Schmidt")
    aperture_m: Above0 | None = None
    detector: Short | None = Field(None, description="such as CCD")
    pixel_arcsec: Above0 | None = None
    mode: str = Field("CCD", pattern=r"^[A-Za-z0-9_]{1,3}$")
    astrometric_catalogue: str | None = Field(
        None, pattern=r"^[.A-Za-z0-9_]{1,8}$", description="that positions are measured against: Gaia2, Gaia3"
    )

    def missing(self) -> list[str]:
        """The settings without which no report is whole."""
        needed = ("mpc_code", "submitter", "measurers", "design", "aperture_m", "detector")
        return [f"station.{name}" for name in (*needed, "astrometric_catalogue") if not getattr(self, name)]

    def header(self) -> dict[str, list[tuple[str, str]]]:
        """The elements of ADES's `obsContext`, with the lines that are set in each."""
        parts: dict[str, list[tuple[str, str | None]]] = {
            "observatory": [("mpcCode", self.mpc_code), ("name", self.observatory)],
            "submitter": [("name", self.submitter), ("institution", self.institution)],
            "observers": [("name", name) for name in self.observers],
            "measurers": [("name", name) for name in self.measurers],
            "telescope": [
                ("name", self.telescope),
                ("design", self.design),
                ("aperture", _told(self.aperture_m)),
                ("detector", self.detector),
                ("pixelScale", _told(self.pixel_arcsec)),
            ],
            "software": [("objectDetection", "deep-asteroids")],
        }
        told = {name: [(key, text) for key, text in lines if text] for name, lines in parts.items()}
        return {name: lines for name, lines in told.items() if lines}


def _told(value: float | None) -> str | None:
    """In the six characters that ADES has room for."""
    return None if value is None else f"{value:.4f}"[:6].rstrip("0").rstrip(".")
