"""Signing in while the user is blocked or gets another role."""

from collections.abc import Awaitable, Callable

import jwt
import pytest
from fastapi.security import OAuth2PasswordRequestForm

from bongsu.identity.models import User, UserSession
from bongsu.identity.scopes import Role
from services.auth.tests.stage import PASSWORD, Stage, bearer


class TestChangedWhileHashing:
    """Checking the password takes a while, in which the user may change."""

    @pytest.fixture
    def meanwhile(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[User], Awaitable[object]]]:
        """Events that happen once, between the check of a right password and the session."""
        happens: list[Callable[[User], Awaitable[object]]] = []
        authenticate = stage.users.authenticate

        async def checked(credentials: OAuth2PasswordRequestForm) -> User | None:
            found = await authenticate(credentials)
            if found is not None and happens:
                event = happens.pop()
                async with stage.database.unit():
                    await event(await User.get(found.id))
            return found

        monkeypatch.setattr(stage.users, "authenticate", checked)
        return happens

    async def test_login_is_refused_when_the_user_was_blocked(
        self, stage: Stage, meanwhile: list[Callable[[User], Awaitable[object]]]
    ) -> None:
        user = await stage.user()
        meanwhile.append(stage.users.block)
        answer = await stage.login(user.email)
        assert (answer.status_code, answer.json()["code"]) == (401, "login_refused")
        assert await UserSession.filter_by(user_id=user.id).count() == 0

    async def test_token_has_the_new_role_when_the_role_changed(
        self, stage: Stage, meanwhile: list[Callable[[User], Awaitable[object]]]
    ) -> None:
        user = await stage.user(role=Role.ADMINISTRATOR)
        meanwhile.append(lambda found: stage.users.set_role(found, Role.USER))
        token = (await stage.login(user.email)).json()["access_token"]
        assert jwt.decode(token, options={"verify_signature": False})["role"] == "user"
        assert (await stage.client.get("/auth/me", headers=bearer(token))).status_code == 200

    async def test_reauthentication_is_refused_when_the_user_was_blocked(
        self, stage: Stage, meanwhile: list[Callable[[User], Awaitable[object]]]
    ) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        meanwhile.append(stage.users.block)
        answer = await stage.client.post("/auth/reauthenticate", json={"password": PASSWORD}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_blocked")
