"""A stand-in for notify's subscriptions of servers."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from bongsu.runtime.errors import Forbidden
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import BotSilent, ServiceDown, TooManySubscriptions, TopicOwnerUnknown
from bongsu_dashboard.guild_modules.port import Subscription

MINE, THEIRS = UUID(int=41), UUID(int=42)


def a_subscription(channel_id: int, topic: str = "releases", owner: UUID = MINE) -> Subscription:
    return Subscription(id=uuid4(), topic=topic, owner=owner, channel_id=channel_id, channel_name="general")


@dataclass
class FakeSubscriptions:
    """Notify's subscriptions, by server."""

    of_guild: dict[int, list[Subscription]] = field(default_factory=dict)
    owners: set[UUID] = field(default_factory=lambda: {MINE, THEIRS})
    limit: int = 100
    down: bool = False
    bot_is_silent: bool = False
    forbids: bool = False
    changes: list[str] = field(default_factory=list)
    """The topics and IDs with which a change was asked for."""

    def _up(self) -> None:
        if self.down:
            raise ServiceDown("notify")
        if self.bot_is_silent:
            raise BotSilent
        if self.forbids:
            raise Forbidden("Not yours", code="channel_not_allowed")

    async def list_of_guild(self, browser: Browser, guild_id: int) -> list[Subscription]:
        del browser
        self._up()
        return [*self.of_guild.get(guild_id, [])]

    async def subscribe(
        self, browser: Browser, *, guild_id: int, channel_id: str, topic: str, owner: UUID | None
    ) -> None:
        del browser
        self._up()
        self.changes.append(topic)
        owner_id = owner or MINE
        if owner_id not in self.owners:
            raise TopicOwnerUnknown
        known = self.of_guild.setdefault(guild_id, [])
        if (topic, owner_id, int(channel_id)) in {(one.topic, one.owner, one.channel_id) for one in known}:
            return
        if len(known) >= self.limit:
            raise TooManySubscriptions
        known.insert(0, a_subscription(int(channel_id), topic, owner_id))

    async def unsubscribe(self, browser: Browser, subscription_id: UUID) -> None:
        del browser
        self._up()
        self.changes.append(str(subscription_id))
        for known in self.of_guild.values():
            known[:] = [one for one in known if one.id != subscription_id]
