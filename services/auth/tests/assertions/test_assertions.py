"""`POST /auth/assertions`."""

from typing import Any

import pytest

from bongsu.identity.assertions import AssertionRefused, AssertionVerifier
from bongsu.identity.models import AuditEntry
from services.auth.tests.stage import URL, Stage, error_fields

ASKED = {"audience": "bot", "method": "guild_leave", "target": "guild:300000000002228224"}


def verifier(stage: Stage) -> AssertionVerifier:
    return AssertionVerifier(URL, "bot", stage.identity.key_source, stage.identity.revocations)


class TestIssue:
    async def test_assertion_is_valid_for_its_action_only(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        headers = await each_stage.signed_in(user)
        answer = await each_stage.client.post("/auth/assertions", json=ASKED, headers=headers)
        body = answer.json()
        assert (answer.status_code, body["expires_in"], answer.headers["cache-control"]) == (200, 60, "no-store")
        claims = await verifier(each_stage).verify(body["assertion"], method="guild_leave", target=ASKED["target"])
        assert claims.sub == user.id
        with pytest.raises(AssertionRefused):
            await verifier(each_stage).verify(body["assertion"], method="guild_leave", target="guild:1")
        entry = await AuditEntry.filter_by(action="assertion.issued").one()
        assert (entry.actor_id, entry.target, entry.details) == (
            user.id,
            ASKED["target"],
            {"audience": "bot", "method": "guild_leave"},
        )

    async def test_assertion_is_refused_as_an_access_token(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        token = (await stage.client.post("/auth/assertions", json=ASKED, headers=headers)).json()["assertion"]
        answer = await stage.client.get("/auth/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401

    async def test_assertion_is_denied_when_its_session_ends(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        token = (await stage.client.post("/auth/assertions", json=ASKED, headers=headers)).json()["assertion"]
        await stage.client.post("/auth/logout", headers=headers)
        with pytest.raises(AssertionRefused):
            await verifier(stage).verify(token, method="guild_leave", target=ASKED["target"])

    async def test_blocked_account_is_refused(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        await user.update(status="blocked")
        answer = await stage.client.post("/auth/assertions", json=ASKED, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_blocked")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"audience": "notify"}, "body.audience"),
            ({"method": "Guild Leave"}, "body.method"),
            ({"method": ""}, "body.method"),
            ({"target": "guild:1\n"}, "body.target"),
            ({"target": ""}, "body.target"),
            ({"exp": 9}, "body.exp"),
        ],
    )
    async def test_bad_field_is_named(self, stage: Stage, change: dict[str, Any], field: str) -> None:
        headers = await stage.signed_in(await stage.user())
        answer = await stage.client.post("/auth/assertions", json=ASKED | change, headers=headers)
        assert (answer.status_code, error_fields(answer)) == (422, [field])

    async def test_request_without_credentials_is_refused(self, stage: Stage) -> None:
        assert (await stage.client.post("/auth/assertions", json=ASKED)).status_code == 401
