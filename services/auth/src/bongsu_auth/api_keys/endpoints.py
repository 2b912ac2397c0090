"""`/auth/api-keys`, for signed-in users: a key manages no keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.api_keys.schemas import EntryIn, EntryList, EntryOut, KeyIn, KeyMade, KeyOut, KeyPage, KeyPatch
from bongsu_auth.api_keys.service import ApiKeys
from bongsu_auth.errors import invalid_field
from bongsu_auth.sessions.backend import Account
from bongsu_auth.sessions.recent import require_recent

KeyId = Annotated[UUID, Path()]
Keys = Annotated[ApiKeys, Provided(ApiKeys)]
Db = Annotated[Database, Provided(Database)]

router = APIRouter(prefix="/auth/api-keys", tags=["API keys"])


@router.post("", status_code=201, responses=problems(400, 401, 403, 409, 413, 422, 503))
async def create_key(body: KeyIn, caller: Account, response: Response, keys: Keys, database: Db) -> KeyMade:
    """Create a key. Only this response contains its secret. You get a mail about it.

    You need to have authenticated within the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    key, secret = await database.run(keys.create, caller.user_id, body, caller.actor)
    response.headers["Location"] = f"/auth/api-keys/{key.id}"
    response.headers["Cache-Control"] = "no-store"
    return KeyMade.of(KeyOut.model_validate(key), secret)


@router.get("", responses=problems(401, 403, 422))
async def list_keys(
    caller: Account,
    keys: Keys,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[UUID | None, Query(description="`next` of the previous page")] = None,
) -> KeyPage:
    """List your keys, newest first."""
    found, following = await keys.list_keys(caller.user_id, limit=limit, after=after)
    return KeyPage(
        items=[KeyOut.model_validate(key) for key in found], next=str(following) if following is not None else None
    )


@router.get("/{key_id}", responses=problems(401, 403, 404, 422))
async def get_key(key_id: KeyId, caller: Account, keys: Keys) -> KeyOut:
    """Get one of your keys."""
    return KeyOut.model_validate(await keys.find(key_id, caller.user_id))


@router.patch("/{key_id}", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
async def patch_key(key_id: KeyId, body: KeyPatch, caller: Account, keys: Keys, database: Db) -> KeyOut:
    """Change a key's memo, stop it, or activate it."""
    if "status" in body.model_fields_set and body.status is None:
        raise invalid_field("status", "Give `active` or `stopped`, or leave it out")
    return KeyOut.model_validate(await database.run(keys.change, key_id, caller.user_id, body, caller.actor))


@router.delete("/{key_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
async def delete_key(key_id: KeyId, caller: Account, keys: Keys, database: Db) -> None:
    """Delete a key. It stops working everywhere within seconds."""
    await database.run(keys.delete, key_id, caller.user_id, caller.actor)


@router.post("/{key_id}/rotate", responses=problems(401, 403, 404, 422, 503))
async def rotate_key(key_id: KeyId, caller: Account, response: Response, keys: Keys, database: Db) -> KeyMade:
    """Give a key a new secret. The old one works until `previous_secret_valid_until`. You get a mail about it.

    You need to have authenticated within the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    key, secret = await database.run(keys.rotate, key_id, caller.user_id, caller.actor)
    response.headers["Cache-Control"] = "no-store"
    return KeyMade.of(KeyOut.model_validate(key), secret)


@router.get("/{key_id}/allowlist", responses=problems(401, 403, 404, 422))
async def list_entries(key_id: KeyId, caller: Account, keys: Keys) -> EntryList:
    """List the addresses from which the key may be used. An empty list allows every address."""
    entries = await keys.list_entries(key_id, caller.user_id)
    return EntryList(items=[EntryOut.model_validate(entry) for entry in entries])


@router.post("/{key_id}/allowlist", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
async def add_entry(key_id: KeyId, body: EntryIn, caller: Account, keys: Keys, database: Db) -> EntryOut:
    """Allow an address or a block. From the first entry on, every other address is refused."""
    entry = await database.run(keys.add_entry, key_id, caller.user_id, body.cidr, caller.actor)
    return EntryOut.model_validate(entry)


@router.delete("/{key_id}/allowlist/{entry_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
async def remove_entry(
    key_id: KeyId, entry_id: Annotated[UUID, Path()], caller: Account, keys: Keys, database: Db
) -> None:
    """Remove an entry. Without entries, the key may be used from every address."""
    await database.run(keys.remove_entry, key_id, caller.user_id, entry_id, caller.actor)
