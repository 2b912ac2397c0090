"""Builds notify's API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from bongsu.broker import Broker
from bongsu.identity.callers import Identity
from bongsu.mixins import Database
from bongsu.outbox.publisher import Publisher
from bongsu.runtime.dependencies import provide
from bongsu.runtime.documentation import read_texts
from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics
from bongsu_notify.channels.discord.authority import Authority
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.feedback import endpoints as feedback_endpoints
from bongsu_notify.feedback.fetching import fetch
from bongsu_notify.feedback.service import Feedback
from bongsu_notify.feedback.sns import SnsVerifier
from bongsu_notify.notifications import endpoints as notifications
from bongsu_notify.notifications.lists import NotificationLists
from bongsu_notify.notifications.retries import Retries
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.settings import NotifySettings
from bongsu_notify.stats import endpoints as stats
from bongsu_notify.subscriptions import endpoints as subscription_endpoints
from bongsu_notify.subscriptions.access import Subscriptions
from bongsu_notify.suppressions import endpoints as suppressions

MAX_BODY_BYTES = 4 * 1024 * 1024

DESCRIPTION = """Send notifications and follow their delivery.

Sign requests with an API key (RFC 9421, `hmac-sha256`), or send `Authorization: Bearer` with an access token. A 202
means that the notification is stored and will end in a final status, whatever happens to any process.

A request body has at most 4 MiB as it is sent: text in UTF-8 takes less than the same text as `\\u` escapes."""


def create_app(
    *, settings: NotifySettings, identity: Identity, database: Database, broker: Broker | None = None
) -> FastAPI:
    """Build the API. The caller owns database and broker, and closes them after the app's lifespan.

    :param broker: publishes what is accepted right after its commit; without it the relay does.
    """

    feedback = Feedback(database, SnsVerifier(settings.ses_topics, fetch, stand_in_url=settings.stand_in_sns_url))
    service = Notifications(database, create_channels(settings, broker), everyone_is_live=settings.sandbox)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if broker is not None:
                await stack.enter_async_context(Publisher(database, broker).run())
            stack.push_async_callback(service.close)
            await stack.enter_async_context(identity.following())
            yield

    app = create_api(
        title="Bongsu notify",
        version="1",
        prefix="/v1",
        description=DESCRIPTION,
        metrics=Metrics("notify"),
        lifespan=lifespan,
        max_body_bytes=MAX_BODY_BYTES,
        korean=read_texts("bongsu_notify", "openapi.ko.json"),
        cors_origins=identity.cors_origins,
    )
    subscriptions = Subscriptions(database, Authority(broker))
    lists = NotificationLists()
    provide(app, identity, database, service, lists, Retries(database, lists), feedback, subscriptions)
    app.include_router(notifications.router)
    app.include_router(stats.router)
    app.include_router(suppressions.router)
    app.include_router(subscription_endpoints.router)
    app.include_router(feedback_endpoints.router)
    return app
