"""The files by which the service is deployed."""
