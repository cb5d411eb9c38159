"""The filter language: one way to say which cutouts, for the command line, the API, pages and jobs.

Its grammar is in `grammar`, the fields that it knows in `fields`; `bind` fixes the versions whose scores it
asks. What MongoDB can do of a filter is in storage.filter_query: nothing here knows a database.
"""
