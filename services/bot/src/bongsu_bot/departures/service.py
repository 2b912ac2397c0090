"""One departure a request, however often it is asked for."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.mixins import utc_now
from bongsu_bot.departures.models import Departure
from bongsu_bot.errors import IdempotencyKeyReused

CLAIM_S = 20.0
"""Longer than a request may take: then its process is gone, and another may take it up."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request's row. `ours`: the caller is to fulfil it; `attempted`: somebody has begun to, perhaps to the end."""

    departure: Departure
    ours: bool
    attempted: bool


async def claim(actor_id: UUID, key: str, guild_id: int) -> Claim:
    """Claim a request. It is not the caller's when it was fulfilled (`left_at`), or when another is at it.

    :raises IdempotencyKeyReused: the key was for another guild.
    """
    found, made = await Departure.get_or_create(
        {"guild_id": guild_id, "claimed_until": utc_now(CLAIM_S)}, actor_id=actor_id, idempotency_key=key
    )
    if found.guild_id != guild_id:
        raise IdempotencyKeyReused("This idempotency key was used for another server")
    if made or found.left_at is not None:
        return Claim(found, ours=made, attempted=False)
    taken = await Departure.filter_by(id=found.id, left_at=None, claimed_until__lt=utc_now()).update(
        claimed_until=utc_now(CLAIM_S)
    )
    return Claim(found, ours=taken == 1, attempted=True)


async def fulfil(departure: Departure, left_at: datetime) -> None:
    """The bot has left."""
    await Departure.filter_by(id=departure.id).update(left_at=left_at)
    await audit.record("guild.left", Actor(departure.actor_id), target=f"guild:{departure.guild_id}")


async def abandon(departure: Departure) -> None:
    """Nothing was done: the request may be made again."""
    await Departure.filter_by(id=departure.id, left_at=None).delete()


async def give_back(departure: Departure) -> None:
    """What became of it is not known: whoever asks next may go on."""
    await Departure.filter_by(id=departure.id, left_at=None).update(claimed_until=utc_now())
