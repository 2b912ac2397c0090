"""`/.well-known/jwks.json`."""

from datetime import timedelta

import jwt

from bongsu.identity.key_source import rotate_signing_key
from services.auth.tests.stage import Stage, bearer
from tests.eventually import eventually


class TestJwks:
    async def test_only_public_halves_are_published(self, stage: Stage) -> None:
        [key] = (await stage.client.get("/.well-known/jwks.json")).json()["keys"]
        assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}
        assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")

    async def test_next_key_is_published_before_it_signs(self, each_stage: Stage) -> None:
        async with each_stage.database.unit():
            second = await rotate_signing_key(each_stage.vault)
        await each_stage.identity.key_source.refresh()
        keys = (await each_stage.client.get("/.well-known/jwks.json")).json()["keys"]
        token = (await each_stage.login((await each_stage.user()).email)).json()["access_token"]
        assert second in {key["kid"] for key in keys}
        assert jwt.get_unverified_header(token)["kid"] != second

    async def test_new_key_is_published_within_seconds(self, stage: Stage) -> None:
        async with stage.database.unit():
            second = await rotate_signing_key(stage.vault)

        async def is_published() -> bool:
            return second in (await stage.client.get("/.well-known/jwks.json")).text

        await eventually(is_published)

    async def test_known_keys_are_published_while_the_database_is_down(self, stage: Stage) -> None:
        before = await stage.client.get("/.well-known/jwks.json")
        await stage.database.dispose()
        during = await stage.client.get("/.well-known/jwks.json")
        assert (during.status_code, during.json()) == (200, before.json())

    async def test_process_that_started_without_the_database_publishes_keys_once_it_answers(self, stage: Stage) -> None:
        stage.identity.key_source._known.clear()
        assert len((await stage.client.get("/.well-known/jwks.json")).json()["keys"]) == 1

    async def test_tokens_of_before_a_rotation_go_on_working(self, stage: Stage) -> None:
        headers = bearer((await stage.login((await stage.user()).email)).json()["access_token"])
        async with stage.database.unit():
            await rotate_signing_key(stage.vault, lead=timedelta(0))
        await stage.identity.key_source.refresh()
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 200
