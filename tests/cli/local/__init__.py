"""Tests of the service on one machine."""
