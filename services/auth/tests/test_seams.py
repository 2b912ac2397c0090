"""auth goes through fastapi-users' seams: each is replaced once, and sign-in changes."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import Response
from fastapi_users import BaseUserManager
from fastapi_users.authentication import AuthenticationBackend, Authenticator, Strategy, Transport
from fastapi_users.db import BaseUserDatabase
from fastapi_users.password import PasswordHelper

from bongsu.identity.models import User, UserSession
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.models import Registration
from bongsu_auth.accounts.users import UserDatabase
from bongsu_auth.oauth.backend import CustomBackend
from bongsu_auth.oauth.discord import DiscordBackend
from bongsu_auth.oauth.google import GoogleBackend
from bongsu_auth.oauth.kakao import KakaoBackend
from bongsu_auth.oauth.port import Profile
from bongsu_auth.sessions.backend import CookieBackend, SessionBackend, bearer_backend, cookie_backend, fastapi_users
from bongsu_auth.sessions.strategy import SessionStrategy
from bongsu_auth.sessions.transport import AccessTokenCookie, AccessTokenHeader, BearerTransport, CookieTransport
from services.auth.tests.providers import Person
from services.auth.tests.stage import PASSWORD, Stage, bearer


def returning(value: object) -> Callable[..., Awaitable[object]]:
    async def replacement(*_arguments: object, **_options: object) -> object:
        return value

    return replacement


async def sign_in_by_bearer(stage: Stage, user: User) -> bool:
    """Return True if a sign-in gives a token that `GET /auth/me` accepts."""
    answer = await stage.login(user.email)
    if answer.status_code != 200 or "access_token" not in answer.json():
        return False
    return (await stage.client.get("/auth/me", headers=bearer(answer.json()["access_token"]))).status_code == 200


async def sign_in_by_cookie(stage: Stage, user: User) -> bool:
    async with stage.browser() as browser:
        await browser.post("/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD})
        return (await browser.get("/auth/me")).status_code == 200


class TestInheritance:
    @pytest.mark.parametrize(
        ("ours", "base"),
        [
            (UserManager, BaseUserManager),
            (UserDatabase, BaseUserDatabase),
            (SessionStrategy, Strategy),
            (BearerTransport, Transport),
            (CookieTransport, Transport),
            (SessionBackend, AuthenticationBackend),
            (CustomBackend, AuthenticationBackend),
            (DiscordBackend, CustomBackend),
            (GoogleBackend, CustomBackend),
            (KakaoBackend, CustomBackend),
        ],
    )
    def test_class_is_built_on_its_seam(self, ours: type, base: type) -> None:
        assert base in ours.__mro__

    def test_authenticator_tries_bearer_and_cookie_alone(self) -> None:
        assert list(fastapi_users.authenticator.backends) == [bearer_backend, cookie_backend]


class TestBearerSignIn:
    """Behaviour of fastapi-users comes first: an empty stub in its place would break sign-in."""

    @pytest.mark.parametrize(
        ("owner", "method", "value"),
        [
            (Authenticator, "_authenticate", (None, None)),
            (BaseUserManager, "get", None),
            (PasswordHelper, "verify_and_update", (False, None)),
            (UserManager, "authenticate", None),
            (UserDatabase, "get_by_email", None),
            (UserDatabase, "get", None),
            (SessionStrategy, "read_token", None),
            (AccessTokenHeader, "__call__", None),
            (BearerTransport, "get_login_response", Response()),
            (SessionBackend, "login", Response()),
        ],
    )
    async def test_sign_in_fails_when_a_seam_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, value: object
    ) -> None:
        user = await stage.user()
        assert await sign_in_by_bearer(stage, user)
        is_sync = owner is PasswordHelper
        monkeypatch.setattr(owner, method, (lambda *_: value) if is_sync else returning(value))
        assert not await self._sign_in(stage, user)

    async def test_no_session_opens_when_write_token_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = await stage.user()
        monkeypatch.setattr(SessionStrategy, "write_token", returning("a token"))
        assert not await self._sign_in(stage, user)
        assert await UserSession.row_count() == 0

    @staticmethod
    async def _sign_in(stage: Stage, user: User) -> bool:
        try:
            return await sign_in_by_bearer(stage, user)
        except ValueError:  # an empty response instead of JSON
            return False


class TestCookieSignIn:
    @pytest.mark.parametrize(
        ("owner", "method", "value"),
        [
            (AccessTokenCookie, "__call__", None),
            (CookieTransport, "get_login_response", Response()),
            (SessionStrategy, "read_token", None),
        ],
    )
    async def test_sign_in_fails_when_a_seam_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, value: object
    ) -> None:
        user = await stage.user()
        assert await sign_in_by_cookie(stage, user)
        monkeypatch.setattr(owner, method, returning(value))
        assert not await sign_in_by_cookie(stage, user)


class TestLogout:
    async def test_session_stays_open_when_the_backend_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CookieBackend, "logout", returning(Response(status_code=204)))
        async with stage.signed_in_browser(await stage.user()) as browser:
            assert (await browser.post("/auth/logout")).status_code == 204
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_session_stays_open_when_the_strategy_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = await stage.signed_in(await stage.user())
        monkeypatch.setattr(SessionStrategy, "destroy_token", returning(None))
        assert (await stage.client.post("/auth/logout", headers=headers)).status_code == 204
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 200

    async def test_cookies_stay_when_the_transport_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CookieTransport, "get_logout_response", returning(Response(status_code=204)))
        async with stage.signed_in_browser(await stage.user()) as browser:
            await browser.post("/auth/logout")
            assert "access-8000" in browser.cookies


class TestManager:
    async def test_no_mail_is_sent_when_its_hook_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(UserManager, "on_after_request_verify", returning(None))
        await stage.register(stage.new_address())
        assert (await Registration.row_count(), await stage.mails()) == (1, [])

    async def test_other_sign_ups_stay_when_the_hook_of_a_new_account_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        email = stage.new_address()
        await stage.register(email)
        monkeypatch.setattr(UserManager, "on_after_register", returning(None))
        await stage.user(email)
        assert await Registration.row_count() == 1

    async def test_address_stays_unproven_when_verify_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(UserManager, "verify", returning(None))
        email = stage.new_address()
        await stage.register(email)
        [mail] = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        assert await User.row_count() == 0

    @pytest.mark.parametrize(
        ("seam", "mails"), [("forgot_password", 0), ("on_after_forgot_password", 0), ("reset_password", 1)]
    )
    async def test_password_stays_when_a_seam_of_the_reset_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, seam: str, mails: int
    ) -> None:
        user = await stage.user()
        monkeypatch.setattr(UserManager, seam, returning(None))
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        sent = await stage.mails()
        assert len(sent) == mails
        for mail in sent:
            await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": f"{PASSWORD} 2"})
        assert (await stage.login(user.email)).status_code == 200

    async def test_sessions_stay_open_when_the_hook_of_a_reset_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        monkeypatch.setattr(UserManager, "on_after_reset_password", returning(None))
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        [mail] = await stage.mails()
        await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": f"{PASSWORD} 2"})
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 200

    async def test_operator_creates_no_account_when_create_is_replaced(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(UserManager, "create", returning(User()))
        await stage.user()
        assert await User.row_count() == 0


class TestCustomBackend:
    @pytest.mark.parametrize(
        ("provider", "backend"), [("discord", DiscordBackend), ("google", GoogleBackend), ("kakao", KakaoBackend)]
    )
    async def test_user_is_filled_by_the_backend_of_the_provider(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, provider: str, backend: type[CustomBackend]
    ) -> None:
        monkeypatch.setattr(backend, "fetch_extra_profile", returning(Profile(phone_number="+821012345678")))
        await stage.sign_in_with(provider, Person(email=stage.new_address()))
        assert (await User.filter_by().one()).phone_number == "+821012345678"

    async def test_profile_is_fetched_outside_of_a_transaction(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        units: list[Any] = []

        async def fetch_extra_profile(*_arguments: object) -> Profile:
            units.append(stage.database.ambient())
            return Profile()

        monkeypatch.setattr(DiscordBackend, "fetch_extra_profile", fetch_extra_profile)
        await stage.sign_in_with("discord", Person())
        assert units == [None]

    async def test_no_session_opens_when_login_is_replaced(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(SessionBackend, "login", returning(Response()))
        await stage.sign_in_with("discord", Person())
        assert (await User.row_count(), await UserSession.row_count()) == (1, 0)
