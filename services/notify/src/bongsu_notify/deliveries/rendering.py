"""Makes the message that a channel sends from the row; sealed variables are opened here and nowhere else."""

from bongsu.contracts.jobs import variables_context
from bongsu.identity.vault import Vault, VaultError
from bongsu_notify.channels.port import Outgoing, Refused
from bongsu_notify.deliveries.service import Content
from bongsu_notify.notifications.models import Notification
from bongsu_notify.templates import service as templates
from bongsu_notify.templates.service import Rendered, TemplateFault


class Renderer:
    """Renders with the operator's sender where a notification names no other."""

    def __init__(self, *, vault: Vault, sender: str) -> None:
        self._vault = vault
        self._sender = sender

    def render(self, one: Notification, content: Content) -> Outgoing | Refused:
        """The message, or why it can never be made."""
        try:
            rendered = self._rendered(one, content)
        except TemplateFault as fault:
            return Refused("template_fault", str(fault))
        except VaultError:
            return Refused("variables_unreadable", "the variables were sealed under a key that is not there")
        return Outgoing(
            notification_id=one.id,
            attempt=one.attempt,
            to_email=one.recipient,
            to_name=one.recipient_name,
            sender=one.sender or self._sender,
            reply_to=one.reply_to,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            urgent=one.priority == "high",
        )

    def _rendered(self, one: Notification, content: Content) -> Rendered:
        if one.template is None:
            return Rendered(one.subject or "", content.text, content.html)
        if content.sealed_variables is None:
            raise TemplateFault("the variables are gone")
        opened = self._vault.open(content.sealed_variables, aad=variables_context(one.id))
        return templates.render(one.template, one.locale, templates.variables_of(opened))
