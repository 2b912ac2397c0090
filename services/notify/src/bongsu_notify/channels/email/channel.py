"""The email channel: who may send to whom, and how a mail is made of a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parseaddr

from bongsu.contracts.jobs import variables_context
from bongsu.identity.models import User
from bongsu.identity.vault import Vault, VaultError
from bongsu_notify.channels.channel import Channel, Content
from bongsu_notify.channels.email.schemas import EmailNotificationIn
from bongsu_notify.channels.port import Outgoing, Provider, Refused
from bongsu_notify.errors import SenderNotAllowed
from bongsu_notify.notifications.claimed import Deliverable
from bongsu_notify.templates import service as templates
from bongsu_notify.templates.service import Rendered, TemplateFault


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailMessage(Outgoing):
    """A rendered mail. Addresses are plain; names are not yet encoded."""

    to_name: str | None
    sender: str
    reply_to: str | None
    subject: str
    text: str | None
    html: str | None


class EmailChannel(Channel[EmailNotificationIn]):
    """Mails go out from the operator's address."""

    name = "email"
    request = EmailNotificationIn

    def check(self, request: EmailNotificationIn) -> None:
        """:raises SenderNotAllowed: `from` is not the operator's address."""
        operator = parseaddr(self.settings.sender)[1].lower()
        if request.sender is not None and request.sender.email != operator:
            raise SenderNotAllowed(operator)

    def is_to_self(self, request: EmailNotificationIn, user: User) -> bool:
        return user.is_verified and user.email == request.to.email

    def columns(self, request: EmailNotificationIn) -> Mapping[str, object]:
        sender = request.sender
        return {
            "recipient": request.recipient,
            "to": request.to.model_dump(),
            "subject": request.content.subject,
            "content": request.content.model_dump(exclude={"subject"}, exclude_none=True),
            "sender": str(Address(sender.name or "", addr_spec=sender.email)) if sender else None,
            "reply_to": request.reply_to,
        }

    def render(self, row: Deliverable, content: Content, vault: Vault) -> EmailMessage | Refused:
        try:
            rendered = self._render_content(row, content, vault)
        except TemplateFault as fault:
            return Refused("template_fault", str(fault))
        except VaultError:
            return Refused("variables_unreadable", "The variables are sealed under a key that the vault does not have")
        return EmailMessage(
            notification_id=row.id,
            attempt=row.attempt,
            recipient=row.recipient,
            is_alone=row.priority == "high" or row.guarantee == "at-most-once",
            to_name=row.to.get("name"),
            sender=row.sender or self.settings.sender,
            reply_to=row.reply_to,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
        )

    @staticmethod
    def _render_content(row: Deliverable, content: Content, vault: Vault) -> Rendered:
        if row.template is None:
            return Rendered(row.subject or "", content.parts.get("text"), content.parts.get("html"))
        if content.sealed_variables is None:
            raise TemplateFault("The variables were deleted when the notification ended")
        opened = vault.open(content.sealed_variables, aad=variables_context(row.id))
        return templates.render(row.template, row.locale, templates.parse_variables(opened))

    def create_provider(self) -> Provider[EmailMessage]:
        # Imported here, so that the API runs without the AWS client and its memory.
        from bongsu_notify.channels.email.ses import SesProvider  # noqa: PLC0415 - see the line above

        return SesProvider(self.settings)
