"""Tests of reports in ADES."""
