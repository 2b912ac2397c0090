"""Profiles of providers: which fields of a user they fill, and how failures of a provider end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from bongsu.identity.models import LinkedAccount, User
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Json, Person
from services.auth.tests.stage import Stage

TOKEN, PROFILE = "/discord/api/oauth2/token", "/discord/api/v10/users/@me"
PERSON: Json = {
    "nicknames": [{"value": "별명", "metadata": {"primary": True}}],
    "phoneNumbers": [
        {"value": "x", "metadata": {"primary": False}},
        {"value": "010-1234-5678", "canonicalForm": "+821012345678", "metadata": {"primary": True}},
    ],
    "birthdays": [{"date": {"year": 1994, "month": 3, "day": 9}, "metadata": {"primary": True}}],
    "genders": [{"value": "female", "metadata": {"primary": True}}],
}
KAKAO: Json = {
    "name": "김민지",
    "profile": {"nickname": "민지", "profile_image_url": "http://k.kakaocdn.net/dn/1/img.jpg"},
    "phone_number": "+82 10-1234-5678",
    "birthyear": "1994",
    "birthday": "0309",
    "birthday_type": "SOLAR",
    "gender": "female",
    "age_range": "30~39",
}


class TestFailures:
    @pytest.mark.parametrize("path", [TOKEN, PROFILE])
    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (500, None, "provider_unavailable"),
            (503, "text", "provider_unavailable"),
            (429, {"message": "You are being rate limited.", "retry_after": 1.5}, "provider_unavailable"),
            (400, {"error": "invalid_request"}, "provider_error"),
            (401, None, "provider_error"),
            (403, None, "provider_error"),
            (302, None, "provider_error"),
            (200, {}, "provider_error"),
            (200, [], "provider_error"),
            (200, "text", "provider_error"),
            (200, None, "provider_error"),
            (200, {"id": "1", "access_token": 7}, "provider_error"),
            (200, {"id": "../x", "username": "x", "email": None}, "provider_error"),
        ],
    )
    async def test_error_responses_are_a_clean_result_and_store_nothing(
        self, stage: Stage, path: str, status: int, body: object, code: str
    ) -> None:
        stage.providers.fail(path, status, body)
        async with stage.browser() as browser:
            answer = await stage.sign_in_with("discord", Person(email=stage.new_address()), browser=browser)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/login?error={code}")
            assert "access-8000" not in browser.cookies
        assert (await User.row_count(), await LinkedAccount.row_count()) == (0, 0)

    @pytest.mark.parametrize("status", [200, 400])
    @pytest.mark.parametrize("path", [TOKEN, PROFILE])
    async def test_json_nested_too_deeply_is_a_clean_result(self, stage: Stage, path: str, status: int) -> None:
        stage.providers.faults[path] = lambda _: httpx.Response(status, content=b"[" * 100_000)
        answer = await stage.sign_in_with("discord", Person(email=stage.new_address()))
        assert answer.headers["location"] == "/login?error=provider_error"

    @pytest.mark.parametrize("lifetime", ["abc", "", None, True, [], {}, -1, 1e18, 10**20, "99999999999999999999"])
    async def test_malformed_lifetime_of_a_token_counts_as_missing(self, stage: Stage, lifetime: object) -> None:
        stage.providers.token_more = {"expires_in": lifetime}
        assert (await stage.sign_in_with("discord", Person())).headers["location"] == "/"
        assert (await LinkedAccount.filter_by().one()).token_expires_at is None

    @pytest.mark.parametrize(
        ("provider", "odd"),
        [
            ("discord", {"verified": "perhaps", "username": 7, "global_name": [], "avatar": {}, "locale": 7}),
            ("google", {"email_verified": "perhaps", "name": 7, "picture": [], "locale": {}}),
            ("kakao", {"kakao_account": {"is_email_valid": None, "is_email_verified": None, "name": 7, "gender": []}}),
            ("kakao", {"kakao_account": {"profile": 7, "email": 7, "phone_number": 7, "birthday_type": 7}}),
            ("kakao", {"kakao_account": [7]}),
        ],
    )
    async def test_malformed_optional_members_count_as_missing(self, stage: Stage, provider: str, odd: Json) -> None:
        stage.providers.id_claims = odd if provider == "google" else {}
        person = Person(email=stage.new_address(), raw=odd)
        assert (await stage.sign_in_with(provider, person)).headers["location"] == "/"
        user = await User.filter_by().one()
        assert (user.email_norm, user.name, user.picture, user.gender) == (None, None, None, None)

    async def test_year_of_birth_may_be_a_number(self, stage: Stage) -> None:
        await stage.sign_in_with("kakao", Person(raw={"kakao_account": {"birthyear": 1990}}))
        assert (await User.filter_by().one()).birth_year == 1990

    async def test_emoji_of_a_name_stay_whole(self, stage: Stage) -> None:
        await stage.sign_in_with("kakao", Person(raw={"kakao_account": {"name": "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿\u202e 민지"}}))
        assert (await User.filter_by().one()).name == "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 민지"

    async def test_malformed_entry_of_people_costs_its_list_alone(self, stage: Stage) -> None:
        stage.providers.token_more = {"scope": "openid https://www.googleapis.com/auth/user.birthday.read"}
        primary = {"metadata": {"primary": True}}
        odd = {"genders": [7], "birthdays": [{**primary, "date": {"year": "x", "month": 3, "day": 9}}], "locales": 7}
        await stage.sign_in_with("google", Person(raw=odd))
        user = await User.filter_by().one()
        assert (user.gender, user.birth_year, user.birthday) == (None, None, "03-09")

    @pytest.mark.parametrize("error", [httpx.ReadTimeout("x"), httpx.ConnectError("x"), httpx.RemoteProtocolError("x")])
    @pytest.mark.parametrize("path", [TOKEN, PROFILE])
    async def test_unreachable_provider_is_a_clean_result(self, stage: Stage, path: str, error: Exception) -> None:
        stage.providers.cut(path, error)
        answer = await stage.sign_in_with("discord", Person(email=stage.new_address()))
        assert answer.headers["location"] == "/login?error=provider_unavailable"
        assert await User.row_count() == 0

    @pytest.mark.parametrize("settings", [AuthSettings.model_validate({**SETTINGS, "provider_timeout_s": "0.05"})])
    async def test_response_that_arrives_too_slowly_is_a_timeout(self, stage: Stage) -> None:
        class Dripping(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield b"{"
                await asyncio.Event().wait()

        stage.providers.faults[PROFILE] = lambda _: httpx.Response(200, stream=Dripping())
        answer = await stage.sign_in_with("discord", Person(email=stage.new_address()))
        assert answer.headers["location"] == "/login?error=provider_unavailable"

    @pytest.mark.parametrize("chars", [1500, 8192])
    async def test_huge_token_is_stored(self, each_stage: Stage, chars: int) -> None:
        each_stage.providers.token_more = {"access_token": "x" * chars, "refresh_token": "y" * chars}
        assert (await each_stage.sign_in_with("discord", Person())).headers["location"] == "/"
        linked = await LinkedAccount.filter_by().one()
        assert each_stage.grants.access_token(linked) == "x" * chars

    @pytest.mark.parametrize("subject", [0, -1, 2**63, 10**300, True, "7", 7.5, [7]])
    async def test_kakao_account_with_an_impossible_id_is_refused(self, stage: Stage, subject: object) -> None:
        answer = await stage.sign_in_with("kakao", Person(raw={"id": subject}))
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=provider_error")

    async def test_token_larger_than_the_column_is_a_clean_result(self, stage: Stage) -> None:
        stage.providers.token_more = {"access_token": "x" * 100_000}
        answer = await stage.sign_in_with("discord", Person())
        assert answer.headers["location"] == "/login?error=provider_error"
        assert await User.row_count() == 0

    async def test_missing_fields_are_a_clean_result(self, stage: Stage) -> None:
        """Without the address, a user with an account would get a second one."""
        person = Person(email=stage.new_address(), raw={"email": None, "verified": None, "username": None})
        answer = await stage.sign_in_with("discord", person)
        assert answer.headers["location"] == "/login?error=provider_error"
        assert await User.row_count() == 0

    async def test_kakao_without_any_account_data_signs_in(self, stage: Stage) -> None:
        answer = await stage.sign_in_with("kakao", Person(raw={"kakao_account": None}))
        assert answer.headers["location"] == "/"

    async def test_provider_tokens_are_sealed(self, stage: Stage) -> None:
        await stage.sign_in_with("discord", Person())
        linked = await LinkedAccount.filter_by().one()
        [session] = stage.providers.sessions
        assert session.access_token not in repr(linked.to_dict())
        assert session.refresh_token not in repr(linked.to_dict())


class TestFill:
    async def test_kakao_fills_every_field(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("kakao", Person(raw={"kakao_account": KAKAO}), browser=browser)
            me = (await browser.get("/auth/me")).json()
        names = (
            "name",
            "nickname",
            "picture",
            "phone_number",
            "gender",
            "birth_year",
            "birthday",
            "age_range",
            "locale",
        )
        assert {name: me[name] for name in names} == {
            "name": "김민지",
            "nickname": "민지",
            "picture": "https://k.kakaocdn.net/dn/1/img.jpg",
            "phone_number": "+821012345678",
            "gender": "female",
            "birth_year": 1994,
            "birthday": "03-09",
            "age_range": "30-39",
            "locale": "ko",
        }

    async def test_discord_fills_name_picture_and_language(self, stage: Stage) -> None:
        person = Person(name="James Walker", raw={"locale": "en-GB"})
        await stage.sign_in_with("discord", person)
        user = await User.filter_by().one()
        assert (user.name, user.nickname, user.locale) == ("James Walker", "minji.kim", "en")
        assert user.picture == f"https://cdn.discordapp.com/avatars/{person.subject}/{'0123456789abcdef' * 2}.png"

    async def test_filled_fields_are_kept(self, stage: Stage) -> None:
        user = await stage.user()
        await user.update(name="봉수", locale="en")
        person = Person(email=user.email, raw={"locale": "ko"})
        await stage.sign_in_with("discord", person)
        await user.refresh()
        assert (user.name, user.nickname, user.locale) == ("봉수", "minji.kim", "en")

    @pytest.mark.parametrize(
        "odd",
        [
            {"birthyear": "19x4"},
            {"birthday": "1399"},
            {"birthday": "3"},
            {"age_range": "young"},
            {"gender": "x" * 100},
            {"phone_number": "call me"},
            {"name": "\u0000\u202e"},
            {"name": "가" * 500},
            {"profile": {"profile_image_url": "javascript:alert(1)"}},
            {"profile": {"nickname": ""}},
            {"profile": {"profile_image_url": "https://" + "x" * 600}},
            {"phone_number": "\uff11" * 6},
        ],
    )
    async def test_odd_values_are_left_out(self, stage: Stage, odd: Json) -> None:
        answer = await stage.sign_in_with("kakao", Person(raw={"kakao_account": odd}))
        assert answer.headers["location"] == "/"
        user = await User.filter_by().one()
        assert user.name in (None, "가" * 100)
        assert (user.picture, user.phone_number, user.gender, user.birthday, user.age_range) == (None,) * 5

    async def test_longest_values_fit_their_columns(self, each_stage: Stage) -> None:
        picture = "https://k.kakaocdn.net/" + "x" * 477
        account = {**KAKAO, "name": "가" * 500, "profile": {"nickname": "😀" * 500, "profile_image_url": picture}}
        person = Person(subject="9" * 18, raw={"kakao_account": account})
        assert (await each_stage.sign_in_with("kakao", person)).headers["location"] == "/"
        user = await User.filter_by().one()
        assert (user.name, user.nickname, user.picture) == ("가" * 100, "😀" * 100, picture)


class TestMoreProfile:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        extra = "https://www.googleapis.com/auth/user.birthday.read"
        return AuthSettings.model_validate({**SETTINGS, "google_scopes": f"openid,email,profile,{extra}"})

    async def test_google_people_fill_the_extra_profile(self, stage: Stage) -> None:
        await stage.sign_in_with("google", Person(email=stage.new_address(), raw=PERSON))
        user = await User.filter_by().one()
        assert (user.nickname, user.phone_number, user.gender) == ("별명", "+821012345678", "female")
        assert (user.birth_year, user.birthday, user.picture) == (1994, "03-09", "https://pictures.test/minji.png")

    @pytest.mark.parametrize(("status", "body"), [(500, None), (200, [7]), (401, None)])
    async def test_failed_fetch_fails_no_sign_in_and_is_retried(self, stage: Stage, status: int, body: object) -> None:
        stage.providers.fail("/google/v1/people/me", status, body)
        answer = await stage.sign_in_with("google", Person(email=stage.new_address(), raw=PERSON))
        assert answer.headers["location"] == "/"
        assert await stage.flows.retry_profiles() == 0  # not due yet
        linked = await LinkedAccount.filter_by().one()
        assert linked.profile_due_at is not None
        await linked.update(profile_due_at=linked.profile_due_at - timedelta(minutes=5))
        stage.providers.faults.clear()
        assert await stage.flows.retry_profiles() == 1
        assert (await User.filter_by().one()).birthday == "03-09"
        await linked.refresh()
        assert linked.profile_due_at is None

    async def test_fetch_is_abandoned_after_five_attempts(self, stage: Stage) -> None:
        stage.providers.fail("/google/v1/people/me", 500)
        await stage.sign_in_with("google", Person(email=stage.new_address()))
        linked = await LinkedAccount.filter_by().one()
        attempts = 0
        while linked.profile_due_at is not None:
            await linked.update(profile_due_at=linked.profile_due_at - timedelta(hours=5))
            await stage.flows.retry_profiles()
            await linked.refresh()
            attempts += 1
        assert attempts == 5
