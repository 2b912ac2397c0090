"""`/v1/subscriptions`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from bongsu.identity.dependencies import Caller, require_scope
from bongsu.identity.scopes import Scope
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_notify.notifications.endpoints import NO_QUERY
from bongsu_notify.notifications.principal import principal_of
from bongsu_notify.subscriptions.access import Subscriptions
from bongsu_notify.subscriptions.schemas import SubscriptionIn, SubscriptionOut, SubscriptionPage, SubscriptionQuery
from bongsu_notify.subscriptions.service import Filters

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

Reader = Annotated[Caller, Depends(require_scope(Scope.NOTIFICATIONS_READ))]
Writer = Annotated[Caller, Depends(require_scope(Scope.NOTIFICATIONS_WRITE))]
Service = Annotated[Subscriptions, Provided(Subscriptions)]
Id = Annotated[UUID, Path(description="Subscription ID, as in the list")]


@router.get("", responses=problems(401, 403, 422, 503))
async def list_subscriptions(
    caller: Reader, subscriptions: Service, query: Annotated[SubscriptionQuery, Query()]
) -> SubscriptionPage:
    """List the subscriptions of a server that you manage, or to your own topics, newest first."""
    filters = Filters(int(query.guild_id) if query.guild_id is not None else None, query.topic)
    page, following = await subscriptions.list_page(principal_of(caller), filters, limit=query.limit, after=query.after)
    items = [SubscriptionOut.model_validate(row) for row in page]
    return SubscriptionPage(items=items, next=str(following) if following else None)


@router.post("", dependencies=NO_QUERY, status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
async def subscribe(body: SubscriptionIn, caller: Writer, subscriptions: Service) -> SubscriptionOut:
    """Subscribe a channel of a server that you manage to a topic. Repeating the request changes nothing."""
    made = await subscriptions.subscribe(
        principal_of(caller),
        owner_id=body.owner or caller.user_id,
        topic=body.topic,
        guild_id=int(body.guild_id),
        channel_id=int(body.channel_id),
    )
    return SubscriptionOut.model_validate(made)


@router.delete(
    "/{subscription_id}", dependencies=NO_QUERY, status_code=204, responses=problems(401, 403, 404, 422, 503)
)
async def unsubscribe(subscription_id: Id, caller: Writer, subscriptions: Service) -> None:
    """Remove a subscription of a server that you manage, or to your own topic. What waits for it is not posted."""
    await subscriptions.unsubscribe(principal_of(caller), subscription_id)
