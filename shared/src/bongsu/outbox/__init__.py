"""What a transaction wants published, and the publisher and the relay that publish it.

A row lives from the transaction that appends it until its consumer settles it, so a message that the broker loses is
published again: nothing that was committed is lost, and what is done twice is for the consumer to recognise.
"""

from bongsu.outbox.service import NewMessage, append, append_many, find_missing, nudge, postpone, release, settle
from bongsu.runtime.revisions import MigrationSet

MIGRATIONS = MigrationSet("outbox", "bongsu.outbox.migrations")

__all__ = [
    "MIGRATIONS",
    "NewMessage",
    "append",
    "append_many",
    "find_missing",
    "nudge",
    "postpone",
    "release",
    "settle",
]
