"""Tests of the rooms for several hosts."""
