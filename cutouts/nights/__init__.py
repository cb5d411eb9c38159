"""A survey's night as files: the layout's names, tables of metadata, ADES documents, tarballs and prefixes.

Readers: what a line or a file says, or the fault that it has; and a table's writer. What is done with them
is in storage.
"""

from cutouts.nights.ades import ADES_BYTES, read_ades
from cutouts.nights.fault import Fault
from cutouts.nights.layout import FileKind, is_night, kind_of, night_in, plain_name
from cutouts.nights.metadata import COLUMNS, METADATA, Row, read_metadata
from cutouts.nights.prefix import list_prefix
from cutouts.nights.table import read_table, write_table
from cutouts.nights.tarball import TarMember, read_tar

__all__ = [
    "ADES_BYTES",
    "COLUMNS",
    "METADATA",
    "Fault",
    "FileKind",
    "Row",
    "TarMember",
    "is_night",
    "kind_of",
    "list_prefix",
    "night_in",
    "plain_name",
    "read_ades",
    "read_metadata",
    "read_table",
    "read_tar",
    "write_table",
]
