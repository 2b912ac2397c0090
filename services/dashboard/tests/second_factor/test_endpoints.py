import pytest

from bongsu_dashboard.sign_in.endpoints import CODE as CODE_PAGE
from services.dashboard.tests.fake_credentials import CODE, CODES, SECRET
from services.dashboard.tests.fakes import MINA, PASSWORD, a_user
from services.dashboard.tests.stage import FakeBrowser, Stage, text_of

ENABLE = {"secret": SECRET, "uri": f"otpauth://totp/Bongsu:mina?secret={SECRET}&issuer=Bongsu"}


async def asked(stage: Stage) -> FakeBrowser:
    """Return a browser on the page that asks for a code."""
    stage.accounts.asks_code = True
    browser = stage.browser()
    await browser.get("/login")
    fields: dict[str, str | list[str]] = {"email": "mina@example.com", "password": PASSWORD, "next": "/guilds"}
    answer = await browser.post("/login", fields)
    assert answer.headers["location"] == f"{CODE_PAGE}?next=/guilds"
    assert (await browser.get(answer.headers["location"])).status_code == 200
    return browser


class TestSignIn:
    async def test_right_code_signs_in_and_continues(self, stage: Stage) -> None:
        browser = await asked(stage)
        answer = await browser.post(CODE_PAGE, {"code": CODE, "next": "/guilds"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/guilds")
        assert f"access-80={MINA}" in answer.headers["set-cookie"]

    async def test_wrong_code_is_shown_beside_its_field(self, stage: Stage) -> None:
        browser = await asked(stage)
        answer = await browser.post(CODE_PAGE, {"code": "000000", "next": "/guilds"}, htmx=True)
        assert (answer.status_code, 'id="e-code"' in answer.text) == (403, True)

    async def test_late_code_leads_to_the_sign_in(self, stage: Stage) -> None:
        browser = await asked(stage)
        answer = await browser.post(CODE_PAGE, {"code": "late", "next": "/guilds"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/guilds")

    async def test_page_leads_to_the_sign_in_when_no_sign_in_waits(self, stage: Stage) -> None:
        answer = await stage.browser().get(f"{CODE_PAGE}?next=/guilds")
        assert answer.headers["location"] == "/login?next=/guilds"

    async def test_redirect_leads_to_a_page_of_the_dashboard_only(self, stage: Stage) -> None:
        browser = await asked(stage)
        answer = await browser.post(CODE_PAGE, {"code": CODE, "next": "//evil.example"})
        assert answer.headers["location"] == "/"


class TestTurningOn:
    async def test_secret_is_shown_as_a_qr_code_and_as_text(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        page = await browser.post("/account/two-step/start")
        assert page.status_code == 200
        assert "JBSW Y3DP" in text_of(page.text)
        assert "<svg" in page.text
        assert "style=" not in page.text

    async def test_recovery_codes_are_shown_after_the_first_code(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        page = await browser.post("/account/two-step/enable", {**ENABLE, "code": CODE})
        assert all(code in page.text for code in CODES)
        assert page.headers["cache-control"] == "no-store"

    async def test_wrong_code_shows_the_same_secret_again(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        page = await browser.post("/account/two-step/enable", {**ENABLE, "code": "000000"})
        assert (page.status_code, SECRET in page.text, 'id="e-code"' in page.text) == (403, True, True)

    @pytest.mark.parametrize("field", ["secret", "uri"])
    async def test_foreign_secret_is_not_shown(self, stage: Stage, field: str) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        answer = await browser.post("/account/two-step/enable", {**ENABLE, field: "javascript:x", "code": CODE})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/two-step")


class TestTurningOff:
    @pytest.fixture(autouse=True)
    def enabled(self, stage: Stage) -> None:
        stage.credentials.enabled = True
        stage.accounts.users[MINA] = a_user(mfa_enabled=True)

    async def test_it_is_turned_off(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        answer = await browser.post("/account/two-step/disable")
        assert (answer.headers["location"], stage.credentials.enabled) == ("/account", False)

    async def test_recovery_codes_are_replaced(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        assert CODES[0] in (await browser.post("/account/two-step/codes")).text

    async def test_confirmation_asks_for_the_code_as_well(self, stage: Stage) -> None:
        browser = stage.mina()
        page = await browser.get("/account/confirm?next=/account/two-step")
        assert 'name="code"' in page.text
        wrong = await browser.post("/account/confirm", {"password": PASSWORD, "code": "000000", "next": "/account"})
        assert (wrong.status_code, 'id="e-code"' in wrong.text) == (403, True)
        right = await browser.post("/account/confirm", {"password": PASSWORD, "code": CODE, "next": "/account"})
        assert right.status_code == 303

    @pytest.mark.parametrize("action", ["start", "enable"])
    async def test_turning_on_again_leads_to_its_state(self, stage: Stage, action: str) -> None:
        browser = stage.mina()
        await browser.get("/account/two-step")
        fields = {**ENABLE, "code": CODE} if action == "enable" else {}
        answer = await browser.post(f"/account/two-step/{action}", {**fields})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/two-step")
