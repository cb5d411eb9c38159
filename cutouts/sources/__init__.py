"""References: where a cutout's bytes are when they were not uploaded, and how to read them safely.

`check_reference` is asked before a job is accepted, `read_reference` when its bytes are needed; both apply
the same policy, and allow nothing that the settings don't name. Webhooks are posted with the same care.
"""

from cutouts.sources.reader import check_reference, read_reference
from cutouts.sources.web import check_webhook, post

__all__ = ["check_reference", "check_webhook", "post", "read_reference"]
