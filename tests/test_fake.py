import re

import pytest

from tests.fake import Fake, seeded

ALL = ("person", "moment", "snowflake", "api_key", "discord_user", "discord_guild", "notification", "notification_text")


class TestSeeded:
    @pytest.mark.parametrize("method", ALL)
    def test_generates_the_same_data_when_the_seed_is_the_same(self, method: str) -> None:
        first, second, other = seeded("one"), seeded("one"), seeded("two")
        made = [[getattr(fake, method)() for _ in range(20)] for fake in (first, second, other)]
        assert made[0] == made[1]
        assert made[0] != made[2]


class TestFake:
    def test_people_have_addresses_of_their_own(self, fake: Fake) -> None:
        assert len({fake.mail_address() for _ in range(1000)}) == 1000

    def test_values_have_the_shapes_of_the_product(self, fake: Fake) -> None:
        person, key = fake.person(), fake.api_key()
        assert re.fullmatch(r"[가-힣]{3}", person.name)
        assert re.fullmatch(r"[a-z]+\.[a-z]+\.\d{10}@example\.com", person.email)
        assert re.fullmatch(r"\+8210\d{8}", person.phone)
        assert re.fullmatch(r"bak_[\w-]{22}", key.access_key)
        assert re.fullmatch(r"bsk_[\w-]{43}", key.secret_key)
        assert 17 <= len(str(fake.snowflake())) <= 19
