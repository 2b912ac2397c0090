"""The overview page: the stand-ins, their state and commands to try."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request, Response

from bongsu_sandbox.faults.schemas import Target
from bongsu_sandbox.faults.service import Faults
from bongsu_sandbox.ledger.service import Ledger
from bongsu_sandbox.mailbox.service import Mailbox
from bongsu_sandbox.pages.rendering import Pages
from bongsu_sandbox.ses.account import Account

_BLANK_FORM = {"fault": "ses/throttle", "rate": "1", "duration_s": "60", "detail": ""}


@dataclass(frozen=True)
class StandIn:
    """A provider with a stand-in: its name in addresses and texts, and the targets of its faults."""

    name: str
    targets: tuple[Target, ...]
    address: str


STAND_INS = (
    StandIn("ses", ("ses",), "/sandbox/ses"),
    StandIn("google", ("google",), "/sandbox/google/.well-known/openid-configuration"),
    StandIn("kakao", ("kakao", "kakao_message"), "/sandbox/kakao"),
    StandIn("discord", ("discord", "gateway"), "/sandbox/discord/api/v10"),
)


@dataclass(frozen=True)
class Overview:
    pages: Pages
    mailbox: Mailbox
    ledger: Ledger
    account: Account
    faults: Faults
    public_url: str

    def page(
        self,
        request: Request,
        *,
        form: Mapping[str, str] | None = None,
        problem: str | None = None,
        status_code: int = 200,
    ) -> Response:
        """Render the page, with the posted form and its problem."""
        return self.pages.page(
            request,
            "overview.html",
            {
                "place": "overview",
                "mails": len(self.mailbox),
                "accepted": self.ledger.count,
                "account": self.account.state,
                "sent_24_h": self.account.sent_last_24_hours,
                "faults": self.faults.list_active(),
                "abilities": self.faults.abilities,
                "stand_ins": STAND_INS,
                "form": _BLANK_FORM | dict(form or {}),
                "problem": problem,
                "url": self.public_url,
            },
            status_code=status_code,
        )
