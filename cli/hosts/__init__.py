"""Several hosts: invitations to the service that runs here, and joining one that runs elsewhere.

Knows addresses, accounts and files; the certificates and the gateway are in `cli.local`.
"""
