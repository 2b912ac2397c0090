"""Builds the sandbox from its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bongsu.runtime.background import in_background
from bongsu.runtime.dependencies import provide
from bongsu.runtime.errors import StartError
from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.settings import PlatformSettings
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.access import Access
from bongsu_sandbox.discord import app as discord
from bongsu_sandbox.discord.app import ABILITIES as DISCORD_ABILITIES
from bongsu_sandbox.discord.app import provide_discord
from bongsu_sandbox.faults import endpoints as fault_endpoints
from bongsu_sandbox.faults.requests import ABILITIES as REQUEST_ABILITIES
from bongsu_sandbox.faults.service import Faults
from bongsu_sandbox.google import endpoints as google
from bongsu_sandbox.google.app import provide_google
from bongsu_sandbox.kakao import endpoints as kakao
from bongsu_sandbox.kakao import talk as kakao_talk
from bongsu_sandbox.kakao.app import provide_kakao
from bongsu_sandbox.kakao.talk import ABILITIES as KAKAO_MESSAGE_ABILITIES
from bongsu_sandbox.ledger import endpoints as ledger_endpoints
from bongsu_sandbox.ledger.service import Ledger
from bongsu_sandbox.mailbox import endpoints as mailbox_endpoints
from bongsu_sandbox.mailbox.service import Mailbox
from bongsu_sandbox.overview import endpoints as overview_endpoints
from bongsu_sandbox.overview.service import Overview
from bongsu_sandbox.pages import rendering
from bongsu_sandbox.pages.rendering import Pages
from bongsu_sandbox.ses import endpoints as ses_endpoints
from bongsu_sandbox.ses.account import Account, AccountState
from bongsu_sandbox.ses.events import SesEvents
from bongsu_sandbox.ses.faults import ABILITIES, SesFaults
from bongsu_sandbox.ses.service import Ses
from bongsu_sandbox.settings import MEBIBYTE, SandboxSettings, require_local
from bongsu_sandbox.sign_in.responses import Answered, send_answer
from bongsu_sandbox.sns import endpoints as sns_endpoints
from bongsu_sandbox.sns.service import Sns

_MAX_BODY_BYTES = 64 * MEBIBYTE
"""A message of 40 MB in base64, with its envelope."""


def create_app(settings: SandboxSettings, platform: PlatformSettings, *, stop: StopSignal | None = None) -> FastAPI:
    """Build the sandbox; every route but the health routes starts with `/sandbox`.

    :param stop: ends the requests that a fault holds open when the process stops.
    :raises StartError: the public URL is not local, or a file of the data folder cannot be used.
    """
    require_local(platform.url)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        return _create_app(settings, platform, stop or StopSignal())
    except OSError as error:
        raise StartError(
            f"Cannot use {error.filename or settings.data_dir} ({error.strerror}): fix or remove it"
        ) from error


def _create_app(settings: SandboxSettings, platform: PlatformSettings, stop: StopSignal) -> FastAPI:
    mailbox = Mailbox(
        settings.data_dir / "mailbox", max_mails=settings.mailbox_max_mails, max_bytes=settings.mailbox_max_bytes
    )
    ledger = Ledger(settings.data_dir / "ledger.jsonl")
    account = Account(
        AccountState(
            max_send_rate=settings.ses_max_send_rate,
            max_24_hour_send=settings.ses_max_24_hour_send,
            verified_identities=settings.ses_verified_identities,
        )
    )
    account.restore(ledger.recipients_since_a_day())
    faults = Faults(
        {
            "ses": ABILITIES,
            **DISCORD_ABILITIES,
            "google": REQUEST_ABILITIES,
            "kakao": REQUEST_ABILITIES,
            "kakao_message": KAKAO_MESSAGE_ABILITIES,
        }
    )
    sns = Sns(settings.data_dir / "sns-key.pem", settings.ses_feedback_url or f"{platform.url}/v1/feedback/ses")
    events = SesEvents(sns, ledger, send=settings.ses_send_events)
    pages = Pages()
    overview = Overview(
        pages=pages, mailbox=mailbox, ledger=ledger, account=account, faults=faults, public_url=platform.url
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with in_background(sns.run(), name="sns"):
            yield
        faults.clear()
        close_discord()
        close_kakao()
        mailbox.close()
        ledger.close()

    app = create_api(
        title="Bongsu sandbox",
        version="1",
        prefix="/sandbox",
        metrics=Metrics("sandbox"),
        lifespan=lifespan,
        description="Stand-ins for the providers. The mailbox, the ledger and the faults are for demos and tests.",
        max_body_bytes=_MAX_BODY_BYTES,
        deadline_s=None,  # a hanging provider is one of the faults
    )
    ses = Ses(account, mailbox, ledger, events)
    provide(app, pages, mailbox, ledger, faults, overview, ses, SesFaults(faults, stop), sns, events)
    close_discord = provide_discord(app, settings, faults, stop)
    provide_google(app, settings, faults, stop, platform.url)
    close_kakao = provide_kakao(app, settings, faults, stop, platform.url)
    app.add_exception_handler(Answered, send_answer)
    for router in (
        ses_endpoints.router,
        sns_endpoints.router,
        mailbox_endpoints.router,
        ledger_endpoints.router,
        fault_endpoints.router,
        discord.router,
        google.router,
        kakao.router,
        kakao_talk.router,
        overview_endpoints.router,
        rendering.router,
    ):
        app.include_router(router)
    app.add_middleware(Access, allow_remote=settings.allow_remote)
    return app
