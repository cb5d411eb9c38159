"""Versions of the tests' own, not the numbers of those that come with the repository."""

RB, SL = "rb@901", "sl@901"
