"""The page that documents the filter language is made of the tables that the language is made of."""

from pathlib import Path

from core.filters.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "filters.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == f"# The filter language\n\n{reference()}"
