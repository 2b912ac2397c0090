"""`/auth/api-keys`: for who signed in; a key manages no keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from bongsu.identity.dependencies import Caller, require_account
from bongsu.runtime.problems import problems
from bongsu_auth.api_keys import service
from bongsu_auth.api_keys.schemas import EntryIn, EntryList, EntryOut, KeyIn, KeyMade, KeyOut, KeyPage, KeyPatch
from bongsu_auth.api_keys.service import KeyChanges, KeyFacts
from bongsu_auth.errors import invalid_field
from bongsu_auth.wiring import Wiring

Account = Annotated[Caller, Depends(require_account)]
KeyId = Annotated[UUID, Path()]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its unit of work and commits before it answers."""
    router = APIRouter(prefix="/auth/api-keys", tags=["API keys"])
    database, settings, known_keys = wiring.database, wiring.settings, wiring.identity.keys

    @router.post("", status_code=201, responses=problems(400, 401, 403, 409, 413, 422, 503))
    async def create(body: KeyIn, caller: Account, response: Response) -> KeyMade:
        """Make a key. Its secret is in this answer, and nowhere else."""
        facts = KeyFacts(memo=body.memo, scopes=body.scopes, mode=body.mode, expires_at=body.expires_at)
        key, secret = await database.run(
            lambda: service.create(
                caller.user_id, facts, wiring.vault, max_active=settings.max_active_keys, actor=caller.actor
            )
        )
        response.headers["Location"] = f"/auth/api-keys/{key.id}"
        response.headers["Cache-Control"] = "no-store"
        return KeyMade.made(key, secret)

    @router.get("", responses=problems(401, 403, 422))
    async def listed(
        caller: Account,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    ) -> KeyPage:
        """Your keys, newest first."""
        found, following = await service.listed(caller.user_id, limit=limit, after=after)
        return KeyPage(items=[KeyOut.of(key) for key in found], next=str(following) if following is not None else None)

    @router.get("/{key_id}", responses=problems(401, 403, 404, 422))
    async def detail(key_id: KeyId, caller: Account) -> KeyOut:
        """One of your keys."""
        return KeyOut.of(await service.find(key_id, caller.user_id))

    @router.patch("/{key_id}", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def patch(key_id: KeyId, body: KeyPatch, caller: Account) -> KeyOut:
        """Change a key's memo, stop it, or let it work again."""
        if "status" in body.model_fields_set and body.status is None:
            raise invalid_field("status", "Give `active` or `stopped`, or leave it out")
        changes = KeyChanges(status=body.status, memo=body.memo, has_memo="memo" in body.model_fields_set)
        key = await database.run(
            lambda: service.change(
                key_id, caller.user_id, changes, max_active=settings.max_active_keys, actor=caller.actor
            )
        )
        known_keys.forget(key.access_key)
        return KeyOut.of(key)

    @router.delete("/{key_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
    async def delete(key_id: KeyId, caller: Account) -> None:
        """Remove a key; it stops working everywhere within seconds."""
        key = await database.run(lambda: service.delete(key_id, caller.user_id, actor=caller.actor))
        known_keys.forget(key.access_key)

    @router.post("/{key_id}/rotate", responses=problems(401, 403, 404, 422, 503))
    async def rotate(key_id: KeyId, caller: Account, response: Response) -> KeyMade:
        """Give a key a new secret. The old one works until `previous_secret_valid_until`."""
        key, secret = await database.run(
            lambda: service.rotate(
                key_id, caller.user_id, wiring.vault, overlap=settings.key_overlap, actor=caller.actor
            )
        )
        known_keys.forget(key.access_key)
        response.headers["Cache-Control"] = "no-store"
        return KeyMade.made(key, secret)

    _add_allowlist(router, wiring)
    return router


def _add_allowlist(router: APIRouter, wiring: Wiring) -> None:
    database, settings, known_keys = wiring.database, wiring.settings, wiring.identity.keys

    @router.get("/{key_id}/allowlist", responses=problems(401, 403, 404, 422))
    async def allowlist(key_id: KeyId, caller: Account) -> EntryList:
        """From where the key may be used. An empty list means: from anywhere."""
        key = await service.find(key_id, caller.user_id)
        return EntryList(items=[EntryOut.of(entry) for entry in await service.entries(key.id)])

    @router.post("/{key_id}/allowlist", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def allow(key_id: KeyId, body: EntryIn, caller: Account) -> EntryOut:
        """Allow an address or a block. With the first entry, every other address is refused."""
        key, entry = await database.run(
            lambda: service.add_entry(
                key_id, caller.user_id, body.cidr, max_entries=settings.max_allowlist_entries, actor=caller.actor
            )
        )
        known_keys.forget(key.access_key)
        return EntryOut.of(entry)

    @router.delete("/{key_id}/allowlist/{entry_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
    async def disallow(key_id: KeyId, entry_id: Annotated[UUID, Path()], caller: Account) -> None:
        """Take an entry away. Without any, the key may be used from anywhere again."""
        key = await database.run(lambda: service.remove_entry(key_id, caller.user_id, entry_id, actor=caller.actor))
        known_keys.forget(key.access_key)
