"""What every room may know: settings, domain types, errors, security, telemetry, charts.

Nothing here opens a connection, and nothing here knows a database, a queue or a neural network.
"""
