"""What each channel defines: its request, its rules, its columns, its rendering and its provider."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from bongsu.broker import Broker
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu_notify.auth_client import AuthClient
from bongsu_notify.channels.port import Outgoing, Provider, Refused
from bongsu_notify.notifications.claimed import Deliverable
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.schemas import NotificationIn
from bongsu_notify.settings import NotifySettings

Request = TypeVar("Request", bound=NotificationIn)


@dataclass(frozen=True, slots=True)
class Content:
    """What a notification says: its own content, or the sealed variables of its template."""

    parts: Mapping[str, Any]
    sealed_variables: str | None


class Channel(ABC, Generic[Request]):
    """One way to reach a person. The API uses it without `open`ing a provider, so provider clients load lazily.

    :param broker: by which channels reach the bot.
    :param auth: where providers get the tokens of linked accounts; None in the API.
    """

    name: ClassVar[str]
    request: ClassVar[type[NotificationIn]]

    def __init__(self, settings: NotifySettings, broker: Broker | None = None, auth: AuthClient | None = None) -> None:
        self.settings = settings
        self.broker = broker
        self.auth = auth

    @abstractmethod
    def check(self, request: Request) -> None:
        """Raise a ServiceError where the operator's settings do not allow this request."""

    async def authorise(self, request: Request, principal: Principal) -> Mapping[str, object]:  # noqa: ARG002 - for channels that need it
        """Raise a ServiceError where the principal may not send to this recipient; return further columns.

        For what another service has to be asked: `check` and `is_to_self` have passed.
        """
        return {}

    @abstractmethod
    def is_to_self(self, request: Request, user: User) -> bool:
        """Whether the request reaches only the user: an account on trial may send it."""

    @abstractmethod
    def columns(self, request: Request) -> Mapping[str, object]:
        """The row's `recipient`, `to`, `subject`, `content` and the channel's own columns."""

    @abstractmethod
    def render(self, row: Deliverable, content: Content, vault: Vault) -> Outgoing | Refused:
        """The message for the provider, or why it can never be made."""

    @abstractmethod
    def create_provider(self) -> Provider[Any]:
        """A provider that is not open yet."""
