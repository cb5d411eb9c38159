"""Backups, on a real mongod."""
