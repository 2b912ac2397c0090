"""Scenes for a browser: the app over fakes on a real port, with servers and notifications of a user."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uvicorn

from bongsu.contracts.blocked_guilds import BlockedGuildItem
from bongsu.contracts.notifications import Failure
from bongsu.contracts.rpc import CommandOutcome, CommandUse, GuildChange, GuildChannel, GuildHistory, ModuleState
from bongsu.identity.scopes import Role
from bongsu.process.server import listen
from bongsu_dashboard.keys.port import AllowlistEntry
from bongsu_dashboard.settings import DashboardSettings
from services.dashboard.tests.fake_audit import an_entry
from services.dashboard.tests.fake_keys import FakeKeys, a_key
from services.dashboard.tests.fake_notifications import FakeNotifications, a_notification
from services.dashboard.tests.fake_subscriptions import MINE, THEIRS, FakeSubscriptions, a_subscription
from services.dashboard.tests.fake_users import an_account
from services.dashboard.tests.fakes import (
    MINA,
    FakeAccounts,
    FakeBot,
    FakeDirectory,
    a_detail,
    a_guild,
    a_session,
    a_summary,
    a_user,
    an_event,
    now,
)
from services.dashboard.tests.stage import Stage
from tests.eventually import eventually

LEE = UUID(int=7)
KEY = UUID(int=8)
ACTIVE, BUSY, ABSENT, OUTAGE, HOSTILE = (number << 22 for number in (8, 17, 28, 39, 53))
DAY = timedelta(days=1)
ROTATED = datetime.now(UTC).replace(microsecond=0) + DAY
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 16; SM-S931N) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36"


CHANNELS = ("일반", "배포", "장애-알림", "code-review", "random", "채용", "build-notifications-of-every-branch", "봉화")


def a_history() -> GuildHistory:
    """Changes of every kind, and uses of commands."""
    changes = [
        (190, "recovered", None, None),
        (205, "outage", None, None),
        (2900, "renamed", None, "봉수대 개발팀"),
        (4300, "added", "김봉수", None),
        (4400, "removed", "이하늘", None),
    ]
    uses: list[tuple[int, str, CommandOutcome]] = [
        (3, "notifications search", "done"),
        (11, "ping", "done"),
        (42, "users block", "refused"),
        (600, "stats", "failed"),
    ]
    return GuildHistory(
        changes=tuple(
            GuildChange(at=now() - timedelta(minutes=minutes), kind=kind, actor=actor, detail=detail)
            for minutes, kind, actor, detail in changes
        ),
        commands=tuple(
            CommandUse(at=now() - timedelta(minutes=minutes), command=command, outcome=outcome)
            for minutes, command, outcome in uses
        ),
    )


def full() -> Stage:
    """A user with servers in every state and notifications of every kind."""
    stage = Stage(
        accounts=FakeAccounts(
            users={MINA: a_user(id=MINE)},
            open_sessions=[
                a_session(current=True, user_agent=CHROME, minutes=1),
                a_session(user_agent=PHONE, minutes=190),
                a_session(user_agent="curl/8.1", minutes=4000),
            ],
            history=[
                an_event("session.opened", minutes=1, details={"how": "fed", "provider": "kakao"}),
                an_event("session.sign_in_failed", minutes=42, address="198.51.100.20"),
                an_event("api_key.address_allowed", minutes=180, details={"cidr": "203.0.113.0/24"}),
                an_event("password.changed", minutes=2900),
                an_event("identity.linked", minutes=9000),
                *(an_event("session.opened", minutes=12000 + number) for number in range(30)),
            ],
        ),
        directory=FakeDirectory(
            managed_by={
                MINA: [
                    a_guild(ACTIVE, "봉수대 개발팀", owner=True),
                    a_guild(BUSY, "카페 모꼬지"),
                    a_guild(29 << 22, "한강 러닝 크루"),
                    a_guild(ABSENT, "Indie Makers Seoul", owner=True),
                    a_guild(OUTAGE, "보드게임 일요모임"),
                    a_guild(HOSTILE, "<img src=x onerror=alert(1)>"),
                ]
            }
        ),
        bot=FakeBot(
            known={
                ACTIVE: a_summary(ACTIVE, members=128, name="봉수대 개발팀"),
                BUSY: a_summary(BUSY, members=1204, name="카페 모꼬지"),
                29 << 22: a_summary(29 << 22, members=342, name="한강 러닝 크루"),
                OUTAGE: a_summary(OUTAGE, "unavailable", members=86, name="보드게임 일요모임"),
            },
            details={
                ACTIVE: a_detail(
                    ACTIVE,
                    *(GuildChannel(id=ACTIVE + n, name=name, category="개발") for n, name in enumerate(CHANNELS, 1)),
                    GuildChannel(
                        id=ACTIVE + 20, name="공지", category="안내", missing=("send_messages", "embed_links")
                    ),
                ),
                BUSY: a_detail(BUSY, missing=("embed_links", "read_message_history")),
            },
            histories={ACTIVE: a_history()},
            modules={
                ACTIVE: {
                    "feed": ModuleState(
                        module="feed",
                        enabled=True,
                        channel_id=ACTIVE + 20,
                        revision=2,
                        missing=("send_messages", "embed_links"),
                    ),
                }
            },
        ),
        notifications=FakeNotifications(
            items=[
                a_notification("일요일 모임 안내", "queued", minutes=0, email="jiwoo@example.com"),
                a_notification("결제가 완료되었습니다", "delivered", minutes=4, email="seoyeon.kim@example.com"),
                a_notification("Your weekly report", "sent", minutes=38, email="alex@example.com"),
                a_notification(
                    "비밀번호가 변경되었습니다",
                    "failed",
                    minutes=72,
                    email="old-address@example.com",
                    error=Failure(code="provider_refused", detail="MessageRejected: the address is not verified"),
                ),
                a_notification("가입을 환영합니다", "delivered", minutes=600, email="haneul@example.com"),
                a_notification("서버 점검 예고", "cancelled", minutes=1300, email="team@example.com"),
            ]
        ),
        subscriptions=FakeSubscriptions(
            of_guild={
                ACTIVE: [
                    a_subscription(ACTIVE + 2, "releases.web"),
                    a_subscription(ACTIVE + 20, "incidents", THEIRS),
                    a_subscription(ACTIVE + 40, "news", THEIRS),
                ]
            }
        ),
        keys=FakeKeys(
            items=[
                a_key(
                    id=KEY,
                    memo="결제 서버",
                    access_key="bak_Qm9uZ3N1LWtleS0wMDAx",
                    expires_at=ROTATED + 60 * DAY,
                    previous_secret_valid_until=ROTATED,
                ),
                a_key(memo="staging", mode="test", access_key="bak_Qm9uZ3N1LWtleS0wMDAy"),
                a_key(status="stopped", access_key="bak_Qm9uZ3N1LWtleS0wMDAz"),
            ],
            entries={KEY: [AllowlistEntry(id=UUID(int=9), cidr="203.0.113.0/24", created_at=ROTATED - DAY)]},
        ),
        settings=DashboardSettings(install_wait_s=900),
    )
    for _ in range(38):
        stage.notifications.items.append(a_notification("주간 소식", "delivered", minutes=700))
    return stage


def first_run() -> Stage:
    """A new user: no Discord account, nothing sent, on trial."""
    stage = Stage(directory=FakeDirectory(linked=False))
    stage.accounts.linked = []
    stage.accounts.users[MINA] = stage.accounts.users[MINA].model_copy(update={"sending": "trial"})
    stage.accounts.open_sessions = [a_session(current=True, user_agent=CHROME)]
    return stage


def silent() -> Stage:
    """The bot and notify are down."""
    stage = full()
    stage.bot.silent = stage.notifications.down = stage.directory.stale = True
    return stage


def cut_off() -> Stage:
    """The bot is not connected to Discord."""
    stage = full()
    stage.bot.shards = ("connecting",)
    return stage


def managing() -> Stage:
    """An administrator among accounts of every kind."""
    stage = full()
    stage.accounts.users[MINA] = a_user(role=Role.ADMINISTRATOR)
    known = stage.bot.known[ACTIVE].model_copy(update={"added_by": "박하늘", "owner_id": 200000000000000005})
    stage.bot.known[ACTIVE] = known
    stage.bot.blocked = {
        one.id: one
        for one in (
            BlockedGuildItem(
                id=300000000014811136,
                name="무료 니트로 나눔",
                reason="알림으로 피싱 링크를 보냄",
                blocked_by="서민아",
                blocked_at=now() - timedelta(days=3),
            ),
            BlockedGuildItem(
                id=300000000019005440, reason="Asked us to stay out", blocked_at=now() - timedelta(days=40)
            ),
        )
    }
    stage.users.items = [an_account("lee@example.com", id=LEE), an_account("kim@example.com", status="blocked")]
    mina, lee = ({"actor_id": UUID(int=6), "actor_email": "mina@example.com"}, {"subject_id": LEE})
    stage.audit.items = [
        an_entry("user.blocked", minutes=4, **mina, **lee, subject_email="lee@example.com"),
        an_entry("user.role_changed", minutes=31, **mina, **lee, subject_email="lee@example.com"),
        an_entry(
            "notification.cancelled", minutes=44, **mina, target=f"notification:{stage.notifications.items[0].id}"
        ),
        an_entry("session.sign_in_failed", minutes=65, **lee, subject_email="lee@example.com", address="198.51.100.20"),
        an_entry("guild.module_changed", minutes=300, **mina, target=f"guild:{ACTIVE}", details={"module": "welcome"}),
        *(an_entry("session.opened", minutes=900 + number * 60, **mina) for number in range(60)),
    ]
    return stage


@dataclass(frozen=True)
class Site:
    """A running dashboard."""

    url: str
    stage: Stage

    @property
    def access_cookie(self) -> str:
        return f"access-{self.url.rpartition(':')[2]}"


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Site]:
    """Serve a stage on a port of its own."""
    sock = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(stage.app(url), log_config=None, lifespan="on", access_log=False))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    await eventually(lambda: server.started)
    try:
        yield Site(url, stage)
    finally:
        server.should_exit = True
        await task
