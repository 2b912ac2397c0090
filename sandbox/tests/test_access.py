import httpx
import pytest
from fastapi import FastAPI

from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings
from bongsu_sandbox.app import create_app
from bongsu_sandbox.settings import SandboxSettings


def client_at(app: FastAPI, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


class TestAccess:
    @pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
    async def test_this_machine_may(self, app: FastAPI, address: str) -> None:
        async with client_at(app, address) as client:
            assert (await client.get("/sandbox/mailbox")).status_code == 200

    @pytest.mark.parametrize("address", ["10.0.0.5", "192.168.0.2", "::ffff:10.0.0.5", "2001:db8::1", "unknown"])
    async def test_other_machines_may_not(self, app: FastAPI, address: str) -> None:
        async with client_at(app, address) as client:
            answer = await client.get("/sandbox/mailbox")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_local")

    async def test_request_through_a_local_proxy_is_refused(self, app: FastAPI) -> None:
        async with client_at(app, "127.0.0.1") as client:
            answer = await client.get("/sandbox/mailbox", headers={"X-Forwarded-For": "203.0.113.9, 127.0.0.1"})
        assert answer.status_code == 403

    async def test_remote_request_is_accepted_when_the_settings_allow_it(self, settings: SandboxSettings) -> None:
        opened = create_app(settings.model_copy(update={"allow_remote": True}), PlatformSettings())
        async with client_at(opened, "10.0.0.5") as client:
            assert (await client.get("/sandbox/mailbox")).status_code == 200

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "[", ""])
    async def test_a_page_whose_name_was_made_to_resolve_here_reads_nothing(self, app: FastAPI, host: str) -> None:
        async with client_at(app, "127.0.0.1") as client:
            answer = await client.get("/sandbox/mailbox", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_local")

    async def test_container_host_name_is_accepted_when_remote_access_is_allowed(
        self, settings: SandboxSettings
    ) -> None:
        opened = create_app(settings.model_copy(update={"allow_remote": True}), PlatformSettings())
        async with client_at(opened, "10.0.0.5") as client:
            assert (await client.get("/sandbox/mailbox", headers={"Host": "sandbox:8000"})).status_code == 200
            assert (await client.get("/sandbox/mailbox", headers={"Host": "evil.example"})).status_code == 403

    async def test_other_sites_change_nothing(self, app: FastAPI) -> None:
        async with client_at(app, "127.0.0.1") as client:
            answer = await client.post("/sandbox/mailbox/clear", headers={"Origin": "https://evil.example"})
            own = await client.post("/sandbox/mailbox/clear", headers={"Origin": "http://localhost:8000"})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
        assert own.status_code == 303


class TestRequireLocal:
    @pytest.mark.parametrize("url", ["https://bongsu.example", "http://10.0.0.1:8000", "http://localhost.example"])
    def test_a_public_address_is_refused(self, settings: SandboxSettings, url: str) -> None:
        with pytest.raises(StartError, match="BONGSU_PUBLIC_URL is local"):
            create_app(settings, PlatformSettings(public_url=url))

    @pytest.mark.parametrize(
        "url", ["http://localhost", "http://127.0.0.1:9000", "http://[::1]:8000", "http://a.localhost"]
    )
    def test_local_url_is_accepted(self, settings: SandboxSettings, url: str) -> None:
        create_app(settings, PlatformSettings(public_url=url))
