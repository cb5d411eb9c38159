"""The command line behind ./streaks, and the service that it runs on one machine.

Speaks to the service over HTTP only, as any other client does.
"""
