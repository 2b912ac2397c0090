"""`/auth/api-keys`."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bongsu.identity.models import AllowlistEntry, ApiKey, AuditEntry, UserSession
from bongsu.identity.scopes import KEY_SCOPES
from bongsu.identity.signatures import RequestSigner
from bongsu_auth.sessions.recent import RECENT
from services.auth.tests.stage import PASSWORD, Stage, bearer, error_fields

Headers = dict[str, str]


async def make(stage: Stage, headers: Headers, **body: object) -> dict[str, Any]:
    answer = await stage.client.post("/auth/api-keys", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def use(stage: Stage, made: dict[str, Any], *, address: str = "127.0.0.1") -> httpx.Response:
    """403 session_required: the key was accepted, but is not a session."""
    async with stage.browser(address=address) as browser:
        return await browser.get("/auth/me", auth=RequestSigner(made["access_key"], made["secret_key"]))


async def works(stage: Stage, made: dict[str, Any], *, address: str = "127.0.0.1") -> bool:
    answer = await use(stage, made, address=address)
    return bool(answer.json()["code"] == "session_required")


@pytest.fixture
async def headers(stage: Stage) -> Headers:
    return await stage.signed_in(await stage.user())


async def age_sign_ins() -> None:
    """Make every sign-in older than a sensitive change allows."""
    await UserSession.filter_by().unfiltered().update(auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1))


class TestRecentAuthentication:
    async def test_new_secrets_require_one(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        await age_sign_ins()
        for path in ("/auth/api-keys", f"/auth/api-keys/{made['id']}/rotate"):
            answer = await stage.client.post(path, json={} if path.endswith("keys") else None, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required"), path
        assert await ApiKey.row_count() == 1
        assert await works(stage, made)

    async def test_program_with_the_password_creates_a_key_after_it_authenticated_again(
        self, stage: Stage, headers: Headers
    ) -> None:
        await age_sign_ins()
        again = await stage.client.post("/auth/reauthenticate", json={"password": PASSWORD}, headers=headers)
        assert await works(stage, await make(stage, bearer(again.json()["access_token"])))

    async def test_restrictions_require_none(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        await age_sign_ins()
        path = f"/auth/api-keys/{made['id']}"
        for method, target, body in (
            ("POST", f"{path}/allowlist", {"cidr": "10.0.0.0/8"}),
            ("PATCH", path, {"status": "stopped"}),
            ("DELETE", path, None),
        ):
            answer = await stage.client.request(method, target, json=body, headers=headers)
            assert answer.is_success, (method, target)


class TestNotices:
    async def test_owner_gets_a_mail_of_a_new_key_and_of_a_new_secret(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        made = await make(stage, headers, memo="call 0800 123")
        await stage.client.post(f"/auth/api-keys/{made['id']}/rotate", headers=headers)
        for event in ("api_key.created", "api_key.rotated"):
            [mail] = await stage.notices(event)
            # Not the memo, which anyone with the session writes.
            assert (mail.to, mail.subject) == (user.email, made["access_key"])

    async def test_owner_gets_no_mail_when_a_key_is_refused(self, stage: Stage, headers: Headers) -> None:
        for _ in range(3):
            await make(stage, headers)
        await stage.client.post("/auth/api-keys", json={}, headers=headers)
        assert len(await stage.notices("api_key.created")) == 3


class TestCreate:
    async def test_secret_is_shown_once(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers, memo="서버")
        assert made["secret_key"].startswith("bsk_")
        assert (made["memo"], made["mode"], made["status"]) == ("서버", "live", "active")
        assert set(made["scopes"]) == KEY_SCOPES
        shown = await stage.client.get(f"/auth/api-keys/{made['id']}", headers=headers)
        assert made["secret_key"] not in shown.text
        [row] = await ApiKey.query().all()
        assert made["secret_key"] not in str(row.to_dict())

    async def test_key_signs_requests(self, stage: Stage, headers: Headers) -> None:
        assert await works(stage, await make(stage, headers))

    async def test_scopes_are_the_requested_ones(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers, scopes=["stats:read"], mode="test")
        assert (made["scopes"], made["mode"]) == (["stats:read"], "test")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"scopes": ["account"]}, "body.scopes.0"),
            ({"scopes": ["root"]}, "body.scopes.0"),
            ({"scopes": []}, "body.scopes"),
            ({"mode": "prod"}, "body.mode"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
            ({"expires_at": "2099-01-01T00:00:00"}, "body.expires_at"),
            ({"expires_at": "9999-12-31T23:59:59-14:00"}, "body.expires_at"),
            ({"memo": "m" * 201}, "body.memo"),
            ({"memo": "\u0000"}, "body.memo"),
            ({"secret_key": "mine"}, "body.secret_key"),
            ({"user_id": "x"}, "body.user_id"),
        ],
    )
    async def test_bad_field_is_named(
        self, stage: Stage, headers: Headers, body: dict[str, object], field: str
    ) -> None:
        answer = await stage.client.post("/auth/api-keys", json=body, headers=headers)
        assert (answer.status_code, error_fields(answer)) == (422, [field])

    async def test_fourth_active_key_is_refused(self, stage: Stage, headers: Headers) -> None:
        for _ in range(3):
            await make(stage, headers)
        answer = await stage.client.post("/auth/api-keys", json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "api_key_limit")

    async def test_limit_holds_for_concurrent_requests(self, each_stage: Stage) -> None:
        headers = await each_stage.signed_in(await each_stage.user())
        answers = await asyncio.gather(
            *(each_stage.client.post("/auth/api-keys", json={}, headers=headers) for _ in range(12))
        )
        codes = [answer.status_code for answer in answers]
        assert (codes.count(201), codes.count(409)) == (3, 9)

    async def test_expired_key_makes_room_and_no_longer_works(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
        await ApiKey.filter_by(access_key=made["access_key"]).update(expires_at=datetime.now(UTC))
        assert (await use(stage, made)).status_code == 401
        for _ in range(3):
            await make(stage, headers)

    async def test_key_cannot_create_keys(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        signer = RequestSigner(made["access_key"], made["secret_key"])
        for method, path in (
            ("POST", "/auth/api-keys"),
            ("GET", "/auth/api-keys"),
            ("DELETE", f"/auth/api-keys/{made['id']}"),
            ("POST", f"/auth/api-keys/{made['id']}/rotate"),
            ("POST", f"/auth/api-keys/{made['id']}/allowlist"),
            ("PATCH", "/auth/me"),
            ("DELETE", "/auth/sessions"),
            ("GET", "/auth/audit"),
        ):
            body = {"cidr": "10.0.0.0/8"} if path.endswith("allowlist") else {}
            answer = await stage.client.request(method, path, json=body, auth=signer)
            assert (answer.status_code, answer.json()["code"]) == (403, "session_required"), path


class TestChange:
    async def test_stopped_key_is_refused_until_it_is_activated(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}"
        assert await works(stage, made)
        await stage.client.patch(path, json={"status": "stopped", "memo": "x"}, headers=headers)
        assert (await use(stage, made)).status_code == 401
        answer = await stage.client.patch(path, json={"status": "active"}, headers=headers)
        assert (answer.json()["status"], answer.json()["memo"]) == ("active", "x")
        assert await works(stage, made)

    async def test_activating_respects_the_limit(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}"
        await stage.client.patch(path, json={"status": "stopped"}, headers=headers)
        for _ in range(3):
            await make(stage, headers)
        answer = await stage.client.patch(path, json={"status": "active"}, headers=headers)
        assert answer.status_code == 409

    async def test_memo_is_removed_when_it_is_null(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers, memo="x")
        answer = await stage.client.patch(f"/auth/api-keys/{made['id']}", json={"memo": None}, headers=headers)
        assert answer.json()["memo"] is None

    async def test_deleted_key_is_gone(self, each_stage: Stage) -> None:
        headers = await each_stage.signed_in(await each_stage.user())
        made = await make(each_stage, headers)
        path = f"/auth/api-keys/{made['id']}"
        await each_stage.client.post(f"{path}/allowlist", json={"cidr": "127.0.0.1"}, headers=headers)
        assert (await each_stage.client.delete(path, headers=headers)).status_code == 204
        assert (await use(each_stage, made)).status_code == 401
        assert (await each_stage.client.get(path, headers=headers)).status_code == 404
        assert await AllowlistEntry.row_count() == 0


class TestRotate:
    async def test_both_secrets_work_for_the_overlap(self, stage: Stage, headers: Headers) -> None:
        old = await make(stage, headers)
        answer = await stage.client.post(f"/auth/api-keys/{old['id']}/rotate", headers=headers)
        new = answer.json()
        assert (answer.status_code, new["access_key"]) == (200, old["access_key"])
        assert new["secret_key"] != old["secret_key"]
        assert new["previous_secret_valid_until"].endswith("Z")
        assert await works(stage, old)
        assert await works(stage, new)

    async def test_secret_from_before_two_rotations_is_refused(self, stage: Stage, headers: Headers) -> None:
        first = await make(stage, headers)
        path = f"/auth/api-keys/{first['id']}/rotate"
        second = (await stage.client.post(path, headers=headers)).json()
        third = (await stage.client.post(path, headers=headers)).json()
        assert [await works(stage, one) for one in (second, third)] == [True, True]
        assert (await use(stage, first)).status_code == 401

    async def test_old_secret_ends_with_the_overlap(self, stage: Stage, headers: Headers) -> None:
        old = await make(stage, headers)
        new = (await stage.client.post(f"/auth/api-keys/{old['id']}/rotate", headers=headers)).json()
        await ApiKey.filter_by(access_key=old["access_key"]).update(previous_until=datetime.now(UTC))
        assert (await use(stage, old)).status_code == 401
        assert await works(stage, new)


class TestOwnership:
    async def test_keys_and_lists_of_another_user_are_not_found(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}"
        entry = await stage.client.post(f"{path}/allowlist", json={"cidr": "127.0.0.0/8"}, headers=headers)
        attacker = await stage.signed_in(await stage.user())
        own = await make(stage, attacker)
        for method, target, body in (
            ("GET", path, None),
            ("PATCH", path, {"status": "stopped"}),
            ("DELETE", path, None),
            ("POST", f"{path}/rotate", None),
            ("GET", f"{path}/allowlist", None),
            ("POST", f"{path}/allowlist", {"cidr": "0.0.0.0/0"}),
            ("DELETE", f"{path}/allowlist/{entry.json()['id']}", None),
            ("DELETE", f"/auth/api-keys/{own['id']}/allowlist/{entry.json()['id']}", None),
        ):
            answer = await stage.client.request(method, target, json=body, headers=attacker)
            assert answer.status_code == 404, (method, target)
        assert await works(stage, made)
        assert len((await stage.client.get("/auth/api-keys", headers=attacker)).json()["items"]) == 1


class TestAllowlist:
    async def test_first_entry_refuses_every_other_address(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}/allowlist"
        assert await works(stage, made, address="198.51.100.7")
        added = await stage.client.post(path, json={"cidr": "203.0.113.0/24"}, headers=headers)
        assert (added.status_code, added.json()["cidr"]) == (201, "203.0.113.0/24")
        refused = await use(stage, made, address="198.51.100.7")
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
        assert await works(stage, made, address="203.0.113.255")
        assert await works(stage, made, address="::ffff:203.0.113.1")
        assert (await stage.client.delete(f"{path}/{added.json()['id']}", headers=headers)).status_code == 204
        assert await works(stage, made, address="198.51.100.7")

    async def test_addresses_beside_a_block_are_refused(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        for cidr in ("203.0.113.16/28", "2001:db8:1::/48"):
            await stage.client.post(f"/auth/api-keys/{made['id']}/allowlist", json={"cidr": cidr}, headers=headers)
        inside = ("203.0.113.16", "203.0.113.31", "::ffff:203.0.113.31", "2001:db8:1::", "2001:db8:1:ffff::1")
        outside = ("203.0.113.15", "203.0.113.32", "::ffff:203.0.113.32", "::203.0.113.16", "2001:db8:2::", "127.0.0.1")
        works_from = {address: await works(stage, made, address=address) for address in inside + outside}
        assert works_from == dict.fromkeys(inside, True) | dict.fromkeys(outside, False)

    @pytest.mark.parametrize(
        ("peer", "forwarded_for", "is_allowed"),
        [
            pytest.param("10.0.0.2", "203.0.113.7", True, id="the client of a proxy"),
            pytest.param("10.0.0.2", "::ffff:203.0.113.7", True, id="the client, mapped"),
            pytest.param("10.0.0.2", "6.6.6.6, 203.0.113.7, 10.0.0.3", True, id="behind two proxies"),
            pytest.param("10.0.0.2", "203.0.113.7, 198.51.100.7", False, id="written by the client of a proxy"),
            pytest.param("10.0.0.2", "203.0.113.7, 198.51.100.7, 10.0.0.3", False, id="written before two proxies"),
            pytest.param("10.0.0.2", "203.0.113.7, nonsense", False, id="an unreadable hop"),
            pytest.param("10.0.0.2", "", False, id="no hop"),
            pytest.param("198.51.100.7", "203.0.113.7", False, id="no proxy"),
        ],
    )
    async def test_address_is_that_which_the_nearest_trusted_proxy_saw(
        self, stage: Stage, headers: Headers, peer: str, forwarded_for: str, is_allowed: bool
    ) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}/allowlist"
        await stage.client.post(path, json={"cidr": "203.0.113.0/24"}, headers=headers)
        signer = RequestSigner(made["access_key"], made["secret_key"])
        async with stage.browser(address=peer) as browser:
            answer = await browser.get("/auth/me", headers={"x-forwarded-for": forwarded_for}, auth=signer)
        assert answer.json()["code"] == ("session_required" if is_allowed else "address_not_allowed")

    async def test_block_of_all_addresses_is_of_its_own_family(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}/allowlist"
        await stage.client.post(path, json={"cidr": "0.0.0.0/0"}, headers=headers)
        seen = [await works(stage, made, address=one) for one in ("198.51.100.7", "::ffff:198.51.100.7", "2001:db8::1")]
        assert seen == [True, True, False]

    async def test_entry_is_refused_when_it_exists(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        path = f"/auth/api-keys/{made['id']}/allowlist"
        await stage.client.post(path, json={"cidr": "::ffff:10.0.0.1"}, headers=headers)
        answer = await stage.client.post(path, json={"cidr": "10.0.0.1"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "allowlist_entry_exists")
        listed = (await stage.client.get(path, headers=headers)).json()
        assert ([item["cidr"] for item in listed["items"]], listed["next"]) == (["10.0.0.1/32"], None)

    async def test_limit_of_entries_holds_for_concurrent_requests(self, each_stage: Stage) -> None:
        headers = await each_stage.signed_in(await each_stage.user())
        made = await make(each_stage, headers)
        path = f"/auth/api-keys/{made['id']}/allowlist"
        answers = await asyncio.gather(
            *(each_stage.client.post(path, json={"cidr": f"10.0.0.{n}"}, headers=headers) for n in range(14))
        )
        codes = [answer.status_code for answer in answers]
        assert (codes.count(201), codes.count(409)) == (10, 4)

    @pytest.mark.parametrize("cidr", ["", "x", "10.0.0.1/8", "fe80::1%eth0", "1" * 100, None, 5])
    async def test_malformed_block_is_refused(self, stage: Stage, headers: Headers, cidr: object) -> None:
        made = await make(stage, headers)
        answer = await stage.client.post(f"/auth/api-keys/{made['id']}/allowlist", json={"cidr": cidr}, headers=headers)
        assert (answer.status_code, error_fields(answer)) == (422, ["body.cidr"])


class TestOwnersAccount:
    async def test_keys_of_a_blocked_user_are_refused_within_the_bound(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = await stage.user()
        made = await make(stage, await stage.signed_in(user))
        assert await works(stage, made)
        await user.update(status="blocked")
        monkeypatch.setattr(stage.identity.keys, "_monotonic", lambda: time.monotonic() + 5)
        assert not await works(stage, made)

    async def test_changes_of_keys_are_in_the_audit_log(self, stage: Stage, headers: Headers) -> None:
        made = await make(stage, headers)
        await stage.client.post(f"/auth/api-keys/{made['id']}/rotate", headers=headers)
        await stage.client.delete(f"/auth/api-keys/{made['id']}", headers=headers)
        entries = await AuditEntry.filter_by(target=f"api_key:{made['id']}").order_by("id").all()
        assert [entry.action for entry in entries] == ["api_key.created", "api_key.rotated", "api_key.deleted"]
        shown = (await stage.client.get("/auth/audit", headers=headers)).json()
        assert [item["action"] for item in shown["items"]][:1] == ["api_key.deleted"]
        assert made["secret_key"] not in str(shown)
