import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.dashboard.tests.fake_keys import a_key
from services.dashboard.tests.fakes import JUN, a_user
from services.dashboard.tests.stage import FakeBrowser, Stage, text_of

FIELDS: dict[str, str | list[str]] = {
    "memo": "결제 서버",
    "mode": "test",
    "lifetime": "90",
    "scopes": ["notifications:write", "stats:read"],
}


async def opened(stage: Stage, path: str = "/keys/new") -> FakeBrowser:
    browser = stage.mina()
    assert (await browser.get(path)).status_code == 200
    return browser


def came_from(path: str) -> dict[str, str]:
    return {"referer": f"http://dashboard.test{path}"}


class TestList:
    async def test_empty_list_offers_to_create_a_key(self, stage: Stage) -> None:
        page = await stage.mina().get("/keys")
        assert "아직 API 키가 없습니다" in text_of(page.text)
        assert 'href="/keys/new"' in page.text

    async def test_keys_are_listed_with_their_state_and_paged(self, stage: Stage) -> None:
        past = datetime.now(UTC) - timedelta(days=1)
        stage.keys.items = [
            a_key(memo="운영"),
            a_key(status="stopped"),
            a_key(expires_at=past, mode="test"),
            *(a_key(memo=f"n{number}") for number in range(4)),
        ]
        page = await stage.mina().get("/keys")
        text = text_of(page.text)
        assert [word in text for word in ("운영", "중지됨", "만료됨", "테스트", "n1")] == [True] * 5
        assert "n2" not in text
        following = await stage.mina().get(f"/keys?after={stage.keys.items[4].id}")
        assert "n2" in text_of(following.text)

    async def test_page_needs_a_session(self, stage: Stage) -> None:
        assert (await stage.browser().get("/keys")).status_code == 303


class TestCreate:
    async def test_secret_is_shown_in_this_response_only(self, stage: Stage) -> None:
        browser = await opened(stage)
        made = await browser.post("/keys", FIELDS)
        [key] = stage.keys.items
        assert (made.status_code, "bsk_secret-1" in made.text) == (200, True)
        assert made.headers["cache-control"] == "no-store"
        assert (key.memo, key.mode, key.scopes) == ("결제 서버", "test", ["notifications:write", "stats:read"])
        assert key.expires_at is not None
        assert timedelta(days=89) < key.expires_at - datetime.now(UTC) < timedelta(days=91)
        for path in ("/keys", f"/keys/{key.id}"):
            assert "bsk_secret" not in (await browser.get(path)).text

    async def test_key_does_not_expire_by_default(self, stage: Stage) -> None:
        browser = await opened(stage)
        await browser.post("/keys", {"memo": "", "mode": "live", "lifetime": "", "scopes": "stats:read"})
        assert (stage.keys.items[0].expires_at, stage.keys.items[0].memo) == (None, None)

    async def test_key_needs_a_permission(self, stage: Stage) -> None:
        browser = await opened(stage)
        refused = await browser.post("/keys", {"memo": "kept", "mode": "live", "lifetime": ""})
        assert (refused.status_code, stage.keys.items) == (422, [])
        assert "권한을 하나 이상" in text_of(refused.text)
        assert 'value="kept"' in refused.text

    @pytest.mark.parametrize("change", [{"mode": "prod"}, {"lifetime": "7"}, {"scopes": "account"}, {"x": "y"}])
    async def test_values_that_the_form_does_not_offer_are_refused(self, stage: Stage, change: dict[str, str]) -> None:
        browser = await opened(stage)
        assert (await browser.post("/keys", {**FIELDS, **change})).status_code == 422
        assert stage.keys.items == []

    async def test_form_explains_the_limit_when_the_user_has_too_many_keys(self, stage: Stage) -> None:
        stage.keys.items = [a_key(), a_key(), a_key()]
        browser = await opened(stage)
        refused = await browser.post("/keys", FIELDS)
        assert (refused.status_code, "최대 개수" in text_of(refused.text)) == (409, True)
        assert 'value="결제 서버"' in refused.text

    async def test_form_of_another_site_is_refused(self, stage: Stage) -> None:
        browser = await opened(stage)
        assert (await browser.post("/keys", FIELDS, token="x")).status_code == 403
        crossed = await browser.post("/keys", FIELDS, headers={"Sec-Fetch-Site": "cross-site"})
        assert (crossed.status_code, stage.keys.items) == (403, [])


class TestConfirmation:
    async def test_forms_for_a_secret_ask_for_it_first_when_the_sign_in_is_old(self, stage: Stage) -> None:
        stage.accounts.users[JUN] = a_user()  # whose token names no time
        stage.keys.items = [a_key()]
        for path in ("/keys/new", f"/keys/{stage.keys.items[0].id}/rotate"):
            answer = await stage.browser(JUN).get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/account/confirm?next={path}")

    async def test_form_leads_to_it_and_back_when_the_sign_in_became_old(self, stage: Stage) -> None:
        stage.keys.items = [a_key()]
        for path, action in (("/keys/new", "/keys"), (f"/keys/{stage.keys.items[0].id}/rotate",) * 2):
            browser = await opened(stage, path)
            stage.keys.recent = False
            refused = await browser.post(action, FIELDS if action == "/keys" else {}, headers=came_from(path))
            assert (refused.status_code, refused.headers["location"]) == (303, f"/account/confirm?next={path}")
        assert (len(stage.keys.items), stage.keys.secrets_made) == (1, 0)


class TestKey:
    async def test_another_users_key_is_404(self, stage: Stage) -> None:
        path = f"/keys/{uuid4()}"
        browser = stage.mina()
        for page in (path, f"{path}/rotate", f"{path}/delete"):
            assert (await browser.get(page)).status_code == 404
        await browser.get("/keys/new")
        for action, fields in (("memo", {"memo": "x"}), ("status", {"status": "stopped"}), ("rotate", {})):
            assert (await browser.post(f"{path}/{action}", {**fields})).status_code == 404
        assert (await browser.post(f"{path}/allowlist", {"cidr": "10.0.0.1"})).status_code == 404

    async def test_memo_is_changed_and_removed(self, stage: Stage) -> None:
        stage.keys.items = [a_key(memo="old")]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, path)
        for memo, kept in (("새 이름", "새 이름"), (" ", None)):
            answer = await browser.post(f"{path}/memo", {"memo": memo})
            assert (answer.status_code, answer.headers["location"]) == (303, path)
            assert stage.keys.items[0].memo == kept

    async def test_refused_memo_is_shown_beside_its_field(self, stage: Stage) -> None:
        stage.keys.items = [a_key()]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, path)
        refused = await browser.post(f"{path}/memo", {"memo": "a\x07b"})
        assert (refused.status_code, 'id="e-memo"' in refused.text) == (422, True)

    async def test_form_that_is_posted_again_rotates_once(self, stage: Stage) -> None:
        """A page with a secret that is loaded again: the secret before the first rotation still has to work."""
        stage.keys.items = [a_key()]
        path = f"/keys/{stage.keys.items[0].id}/rotate"
        browser = await opened(stage, path)
        assert "bsk_secret-1" in (await browser.post(path)).text
        again = await browser.post(path)
        assert (again.status_code, again.headers["location"], stage.keys.secrets_made) == (303, path, 1)
        until = re.search('name="seen" value="([^"]+)"', (await browser.get(path)).text)
        assert until is not None
        assert "bsk_secret-2" in (await browser.post(path, {"seen": until[1]})).text

    async def test_key_is_stopped_and_activated(self, stage: Stage) -> None:
        stage.keys.items = [a_key()]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, path)
        for status, word in (("stopped", "키를 중지했습니다"), ("active", "키를 다시 사용합니다")):
            answer = await browser.post(f"{path}/status", {"status": status})
            assert (answer.status_code, stage.keys.items[0].status) == (303, status)
            assert word in text_of((await browser.get(path)).text)

    async def test_activating_a_key_above_the_limit_is_explained(self, stage: Stage) -> None:
        stage.keys.items = [a_key(status="stopped"), a_key(), a_key(), a_key()]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, path)
        await browser.post(f"{path}/status", {"status": "active"})
        assert "최대 개수" in text_of((await browser.get(path)).text)
        assert stage.keys.items[0].status == "stopped"

    async def test_expired_key_offers_neither_rotation_nor_status(self, stage: Stage) -> None:
        stage.keys.items = [a_key(expires_at=datetime.now(UTC) - timedelta(hours=1))]
        page = await stage.mina().get(f"/keys/{stage.keys.items[0].id}")
        assert "/rotate" not in page.text
        assert 'name="status"' not in page.text


class TestRotate:
    async def test_new_secret_and_the_end_of_the_old_one_are_shown(self, stage: Stage) -> None:
        stage.keys.items = [a_key()]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, f"{path}/rotate")
        rotated = await browser.post(f"{path}/rotate")
        assert (rotated.status_code, "bsk_secret-1" in rotated.text) == (200, True)
        assert "이전 비밀 키의 사용 기한" in text_of(rotated.text)
        page = await browser.get(path)
        assert "교체가 진행 중" in text_of(page.text)
        assert "bsk_secret" not in page.text
        assert "바로 쓸 수 없게" in text_of((await browser.get(f"{path}/rotate")).text)


class TestDelete:
    async def test_key_is_deleted_after_a_confirmation(self, stage: Stage) -> None:
        stage.keys.items = [a_key(memo="지울 키")]
        path = f"/keys/{stage.keys.items[0].id}/delete"
        browser = await opened(stage, path)
        deleted = await browser.post(path)
        assert (deleted.status_code, deleted.headers["location"], stage.keys.items) == (303, "/keys", [])
        assert "키를 삭제했습니다" in text_of((await browser.get("/keys")).text)
        await browser.post(path)
        assert "이미 삭제된 키" in text_of((await browser.get("/keys")).text)


class TestAllowlist:
    async def test_address_is_added_and_removed(self, stage: Stage) -> None:
        stage.keys.items = [a_key()]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, path)
        answer = await browser.post(f"{path}/allowlist", {"cidr": " 203.0.113.0/24 "})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        [entry] = stage.keys.entries[stage.keys.items[0].id]
        page = await browser.get(path)
        assert "203.0.113.0/24" in text_of(page.text)
        remove = f"{path}/allowlist/{entry.id}/remove"
        assert f'action="{remove}"' in page.text
        for _ in range(2):
            assert (await browser.post(remove)).headers["location"] == path
        assert "모든 주소에서" in text_of((await browser.get(path)).text)

    @pytest.mark.parametrize(
        ("cidr", "status", "text"),
        [("10.0.0.1/8", 422, "사용할 수 없는 값"), ("", 422, "값을 입력해"), ("10.0.0.1", 409, "이미 허용된 주소")],
    )
    async def test_refusal_is_shown_beside_the_field(self, stage: Stage, cidr: str, status: int, text: str) -> None:
        stage.keys.items = [a_key()]
        path = f"/keys/{stage.keys.items[0].id}"
        browser = await opened(stage, path)
        await browser.post(f"{path}/allowlist", {"cidr": "10.0.0.1"})
        refused = await browser.post(f"{path}/allowlist", {"cidr": cidr})
        assert (refused.status_code, 'id="e-cidr"' in refused.text) == (status, True)
        assert text in text_of(refused.text)
