"""The personas of the sign-in stand-ins: the same people have accounts at Google, Kakao and Discord."""

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True)
class Person:
    """A person. The providers build their own IDs from `number`.

    :param email: None for a person who has no address, or does not share it.
    :param verified: whether the providers verified the address.
    :param phone_number: with country code, as Kakao writes it.
    """

    number: int
    username: str
    name: str
    nickname: str
    email: str | None = None
    verified: bool = False
    locale: str = "en-US"
    phone_number: str | None = None
    gender: str | None = None
    born: date | None = None

    def age_range(self, today: date) -> str | None:
        """Return the decade of the age, as Kakao writes it: `30~39`."""
        if self.born is None:
            return None
        years = today.year - self.born.year - ((today.month, today.day) < (self.born.month, self.born.day))
        decade = years // 10 * 10
        return f"{decade}~{decade + 9}"


PEOPLE: Final = (
    Person(
        number=1,
        username="minji.kim",
        name="김민지",
        nickname="민지",
        email="minji.kim@example.com",
        verified=True,
        locale="ko",
        phone_number="+82 10-1234-5678",
        gender="female",
        born=date(1994, 5, 3),
    ),
    Person(
        number=2,
        username="james.walker",
        name="James Walker",
        nickname="Jim",
        email="james.walker@example.com",
        verified=True,
        phone_number="+44 7700 900123",
        gender="male",
        born=date(1988, 11, 21),
    ),
    Person(
        number=3,
        username="seojun.park",
        name="박서준",
        nickname="서준",
        locale="ko",
        gender="male",
        born=date(2001, 2, 28),
    ),
    Person(
        number=4,
        username="emma.clarke",
        name="Emma Clarke",
        nickname="Em",
        email="emma.clarke@example.com",
        locale="en-GB",
        born=date(1979, 7, 9),
    ),
    Person(
        number=5,
        username="haneul.lee",
        name="이하늘",
        nickname="하늘",
        email="haneul.lee@example.com",
        verified=True,
        locale="ko",
        phone_number="+82 10-9876-5432",
    ),
)


def find_person(number: int | None) -> Person | None:
    return next((person for person in PEOPLE if person.number == number), None)
