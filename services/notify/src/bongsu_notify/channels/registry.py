"""The channels that exist. Register a new channel here."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Union

from pydantic import PlainValidator, create_model

from bongsu.broker import Broker
from bongsu_notify.auth_client import AuthClient
from bongsu_notify.channels.channel import Channel
from bongsu_notify.channels.discord.channel import DiscordChannel
from bongsu_notify.channels.email.channel import EmailChannel
from bongsu_notify.channels.kakao.channel import KakaoChannel
from bongsu_notify.notifications.schemas import NotificationIn
from bongsu_notify.settings import NotifySettings

CHANNELS: Final[tuple[type[Channel[Any]], ...]] = (EmailChannel, DiscordChannel, KakaoChannel)

_REQUESTS: Final = {channel.name: channel.request for channel in CHANNELS}
_Name: Any = Literal[*_REQUESTS]
_Tag = create_model("NotificationIn", channel=(_Name, ...))


def create_channels(
    settings: NotifySettings, broker: Broker | None = None, auth: AuthClient | None = None
) -> Mapping[str, Channel[Any]]:
    """The channels by name; the parameters are those of `Channel`."""
    return {channel.name: channel(settings, broker, auth) for channel in CHANNELS}


def _validate(value: object) -> NotificationIn:
    tag: Any = _Tag.model_validate(value)
    return _REQUESTS[tag.channel].model_validate(value)


# Pydantic's own discriminated union needs two members and puts the tag into `loc`: an API client knows `to.email` and
# not `email.to.email`.
AnyNotificationIn = Annotated[
    NotificationIn, PlainValidator(_validate, json_schema_input_type=Union[*_REQUESTS.values()])
]
