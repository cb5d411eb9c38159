"""The language told to people, from the tables that the grammar and the evaluation use."""

from core.filters.fields import FIELDS, WORDS
from core.filters.grammar import MAX_DEPTH, MAX_LENGTH

_INTRODUCTION = f"""\
A filter is a condition on cutouts: comparisons (`=` `!=` `<` `<=` `>` `>=`) of a field or a score with a
value, joined by the words below; parentheses group. At most {MAX_LENGTH:,} characters, nested at most
{MAX_DEPTH} deep.

- `rb@2` is the score by that version. `rb` (or `rb@production`) is the score by the version that is in
  production when the filter is read, or the highest by several of them; the answer names the versions.
- Numbers as usual; texts in quotes, doubled inside (`'it''s'`); nights `20180301` or `2018-03-01`; times
  `2018-03-01T12:30:00Z` (UTC). A date where a time is expected is the whole day.
- What a cutout has no value or no score for is unknown, a rejection gives no score, and `not` of unknown is
  unknown. A filter finds what it is true of: `not rb >= 0.5` leaves out what `rb` has not scored; what it
  was not asked for yet is found by `lacks rb`."""


def reference() -> str:
    """The language in Markdown: its rules, a table of its words, a table of the fields."""
    words = [f"| `{word.syntax}` | {word.meaning} | `{word.example}` |" for word in WORDS.values()]
    fields = [f"| `{f.name}` | {f.kind} | {f.unit} | {f.meaning} |" for f in FIELDS.values()]
    return "\n".join(
        [
            _INTRODUCTION,
            "",
            "| written | means | for example |",
            "|---|---|---|",
            *words,
            "",
            "| field | values | unit | meaning |",
            "|---|---|---|---|",
            *fields,
            "",
        ]
    )
