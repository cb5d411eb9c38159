"""Kowalski: where it answers, and where its catalogue's documents keep what makes a candidate."""

from pydantic import BaseModel, ConfigDict, Field


class KowalskiArchive(BaseModel):
    """An archive that speaks Kowalski's API. Fields are dotted paths in documents; the defaults are ZTF's."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field("https://kowalski.caltech.edu", pattern=r"^https?://[^/@?#\s]+/?$")
    catalog: str = Field("ZTF_alerts", min_length=1)
    survey: str = Field("ztf", pattern=r"^[a-z]+$", description="its name where scores are written back")
    key: str = Field("candid", description="one value for each candidate, by which pages are ordered")
    jd: str = Field("candidate.jd", description="Julian date, by which a night is found")
    position: str = Field("coordinates.radec_geojson", description="GeoJSON, longitude ra - 180")
    stamp: str = Field("cutoutDifference", description="gzipped FITS, or an object with it as stampData")
    page: int = Field(500, gt=0, le=10_000, description="candidates in one query")
    timeout_s: float = Field(60.0, gt=0)
    patience_s: float = Field(300.0, ge=0, description="how long one query is tried again")
