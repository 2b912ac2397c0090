"""Test data: one Faker provider for the things of this project, and the seeded fixture `fake`."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest
from faker import Faker
from faker.providers import BaseProvider

DISCORD_EPOCH_MS = 1_420_070_400_000
FIRST_MS = 1_700_000_000_000
"""2023-11-14: every generated id and moment is younger than this, and older than the tests."""
SPAN_MS = 60_000_000_000

_FAMILY_NAMES = (
    ("김", "kim"), ("이", "lee"), ("박", "park"), ("최", "choi"), ("정", "jung"), ("강", "kang"), ("조", "cho"),
    ("윤", "yoon"), ("장", "jang"), ("임", "lim"), ("한", "han"), ("오", "oh"), ("서", "seo"), ("신", "shin"),
)  # fmt: skip
_GIVEN_NAMES = (
    ("민지", "minji"), ("서준", "seojun"), ("하늘", "haneul"), ("지우", "jiwoo"), ("서연", "seoyeon"),
    ("도윤", "doyoon"), ("예준", "yejun"), ("하은", "haeun"), ("시우", "siwoo"), ("수아", "sua"), ("주원", "juwon"),
    ("지민", "jimin"), ("유진", "yujin"), ("현우", "hyunwoo"), ("채원", "chaewon"), ("은서", "eunseo"),
)  # fmt: skip
_GUILD_SUBJECTS = ("개발자", "사진", "독서", "등산", "요리", "보드게임", "음악", "영화", "고양이", "여행")
_GUILD_KINDS = ("모임", "동호회", "연구소", "광장", "작업실")
_SUBJECTS = (
    "주문이 접수되었습니다", "배송이 시작되었습니다", "결제가 완료되었습니다", "예약이 확정되었습니다",
    "비밀번호가 변경되었습니다", "새 댓글이 달렸습니다", "내일 회의가 있습니다 🔥",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A Korean with a mail address in Latin letters and a mobile phone."""

    name: str
    email: str
    phone: str
    locale: str = "ko"


@dataclass(frozen=True)
class ApiKeyPair:
    """An API key as its owner sees it once."""

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class DiscordUser:
    """A user as Discord's API shows them."""

    id: int
    username: str
    global_name: str


@dataclass(frozen=True)
class DiscordGuild:
    """A guild as Discord's API shows it."""

    id: int
    name: str
    owner_id: int


class BongsuProvider(BaseProvider):
    """People, phones, ids, keys, guilds and notifications as this project meets them."""

    def person(self) -> Person:
        family, family_in_latin = self.random_element(_FAMILY_NAMES)
        given, given_in_latin = self.random_element(_GIVEN_NAMES)
        email = f"{given_in_latin}.{family_in_latin}.{self.numerify('##########')}@example.com"
        return Person(family + given, email, self.mobile_phone())

    def person_name(self) -> str:
        return self.person().name

    def mail_address(self) -> str:
        """An address at example.com. Its number has 10 digits: two calls never meet in practice."""
        return self.person().email

    def mobile_phone(self) -> str:
        """A Korean mobile number in E.164."""
        return self.numerify("+8210########")

    def moment(self) -> datetime:
        """A moment between November 2023 and October 2025, in UTC."""
        return datetime.fromtimestamp(self._moment_ms() / 1000, UTC)

    def snowflake(self) -> int:
        """A Discord id."""
        return (self._moment_ms() - DISCORD_EPOCH_MS) << 22 | self.random_int(0, (1 << 22) - 1)

    def access_key(self) -> str:
        return f"bak_{self._token(16)}"

    def secret_key(self) -> str:
        return f"bsk_{self._token(32)}"

    def api_key(self) -> ApiKeyPair:
        return ApiKeyPair(self.access_key(), self.secret_key())

    def discord_user(self) -> DiscordUser:
        person = self.person()
        return DiscordUser(self.snowflake(), person.email.partition("@")[0], person.name)

    def guild_name(self) -> str:
        return f"{self.random_element(_GUILD_SUBJECTS)} {self.random_element(_GUILD_KINDS)}"

    def discord_guild(self) -> DiscordGuild:
        return DiscordGuild(self.snowflake(), self.guild_name(), self.snowflake())

    def notification_subject(self) -> str:
        """The subject of a notification, in Korean."""
        return str(self.random_element(_SUBJECTS))

    def notification_text(self) -> str:
        """The plain text of a notification: some lines of Korean."""
        lines = [
            f"{self.person_name()} 님, 안녕하세요.",
            f"{self.notification_subject()}.",
            f"문의: {self.mobile_phone()}",
        ]
        return "\n".join(lines)

    def notification(self, *, to: str | None = None, **more: object) -> dict[str, object]:
        """The body of `POST /v1/notifications` for a mail."""
        content = {"subject": self.notification_subject(), "text": self.notification_text()}
        return {"channel": "email", "to": {"email": to or self.mail_address()}, "content": content, **more}

    def _moment_ms(self) -> int:
        return self.random_int(FIRST_MS, FIRST_MS + SPAN_MS)

    def _token(self, size_bytes: int) -> str:
        return base64.urlsafe_b64encode(self.generator.random.randbytes(size_bytes)).rstrip(b"=").decode()


if TYPE_CHECKING:

    class Fake(BongsuProvider, Faker):
        """Faker with the methods of `BongsuProvider`."""

else:
    Fake = Faker


def seeded(seed: str) -> "Fake":
    """Faker with the methods of `BongsuProvider`. It generates the same data for the same seed."""
    made = Fake("ko_KR")
    made.add_provider(BongsuProvider)
    made.seed_instance(seed)
    return made


_shared = cache(partial(seeded, ""))


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> "Fake":
    """Test data that depends on the test alone: the same in every run and order, different in every test."""
    made = _shared()
    made.seed_instance(request.node.nodeid)
    made.unique.clear()
    return made
