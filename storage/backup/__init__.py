"""A backup: the whole record as it was at one moment, and every blob, in a folder with a manifest.

Made while the service goes on (`dump`), refused where a byte of it is missing or other (`manifest`), and put
into an empty database again (`restore`). What a person types is in `cli/verbs`.
"""
