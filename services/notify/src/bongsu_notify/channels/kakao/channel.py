"""The KakaoTalk channel: who may send to whom, and how a message is made of a row."""

from collections.abc import Mapping
from uuid import UUID

from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu_notify.channels.channel import Channel, Content
from bongsu_notify.channels.kakao.message import KakaoMessage, build_template
from bongsu_notify.channels.kakao.schemas import KakaoNotificationIn
from bongsu_notify.channels.port import Provider, Refused
from bongsu_notify.errors import RecipientNotAllowed
from bongsu_notify.notifications.claimed import Deliverable
from bongsu_notify.notifications.principal import Principal


class KakaoChannel(Channel[KakaoNotificationIn]):
    """A message goes out with the token of its recipient, whom Kakao sends it to."""

    name = "kakao"
    request = KakaoNotificationIn

    def check(self, request: KakaoNotificationIn) -> None:
        """Every request that is well-formed is allowed by the settings."""

    def is_to_self(self, request: KakaoNotificationIn, user: User) -> bool:
        return request.to.user_id == user.id

    async def authorise(self, request: KakaoNotificationIn, principal: Principal) -> Mapping[str, object]:
        """Check that the principal may message the user.

        :raises RecipientNotAllowed: a message to another user.
        """
        if request.to.user_id != principal.user_id and not principal.may_message_anyone:
            raise RecipientNotAllowed
        return {}

    def columns(self, request: KakaoNotificationIn) -> Mapping[str, object]:
        feed = request.content.feed
        return {
            "recipient": request.recipient,
            "to": request.to.model_dump(mode="json"),
            "subject": feed.title if feed is not None else None,
            "content": request.content.model_dump(mode="json", exclude_none=True),
        }

    def render(self, row: Deliverable, content: Content, vault: Vault) -> KakaoMessage | Refused:
        del vault  # no templates yet
        return KakaoMessage(
            notification_id=row.id,
            attempt=row.attempt,
            recipient=row.recipient,
            to_user_id=UUID(row.to["user_id"]),
            sender_id=row.user_id,
            template=build_template(content.parts),
        )

    def create_provider(self) -> Provider[KakaoMessage]:
        from bongsu_notify.channels.kakao.provider import KakaoProvider  # noqa: PLC0415 - the API needs no client

        return KakaoProvider(self.settings, self.auth)
