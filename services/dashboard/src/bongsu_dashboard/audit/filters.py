"""The filters of the audit log, as its address holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bongsu.contracts.audit import AUDIT_ACTIONS
from bongsu_dashboard.pages.addresses import with_parameters
from bongsu_dashboard.pages.days import parse_days

LIST: Final = "/audit"
MAX_PERSON: Final = 320


@dataclass(frozen=True, slots=True)
class Filters:
    """What the page shows. Each part is empty where it does not filter.

    :param actor: the address or ID of the user who acted.
    :param subject: the address or ID of the user who is affected.
    :param since: the first day.
    :param until: the last day.
    :param zone: the time zone of the days; UTC where it is not known.
    """

    actor: str = ""
    subject: str = ""
    action: str = ""
    since: str = ""
    until: str = ""
    zone: str = ""

    @classmethod
    def parse(cls, address: Mapping[str, str]) -> "Filters":
        """Read the parameters of an address. What is malformed does not filter."""
        actor, subject = (address.get(name, "").strip()[:MAX_PERSON] for name in ("actor", "subject"))
        since, until, zone = parse_days(address)
        action = address.get("action", "")
        return cls(
            actor=actor,
            subject=subject,
            action=action if action in AUDIT_ACTIONS else "",
            since=since,
            until=until,
            zone=zone,
        )

    @property
    def is_empty(self) -> bool:
        return self == Filters()

    def address(self, path: str = LIST, **others: object) -> str:
        """Return the address of a page of these filters with other parameters."""
        values = {name: getattr(self, name) for name in Filters.__slots__} | others
        return with_parameters(path, values)
