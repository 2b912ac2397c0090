"""Every operation of the APIs, called with another user's IDs and with a key that lacks its scope.

A new operation fails the first test until it has an entry here.
"""

import re
from dataclasses import dataclass, field

import httpx
import pytest
from harness.people import Person, Program, email, new_address, sign_up
from harness.stack import Stack, items

ACCOUNT = "account"
"""The scope that no key can have."""


@dataclass(frozen=True)
class Operation:
    """Who may call an operation.

    :param scope: needed by a key.
    :param body: a valid one, for an operation on an ID.
    :param permission: for managers only.
    """

    scope: str = ACCOUNT
    body: dict[str, object] | None = None
    permission: bool = False
    without_credentials: bool = field(default=False, kw_only=True)


OWN = Operation()
MANAGERS = Operation(permission=True)
PUBLIC = Operation(without_credentials=True)
READ, WRITE = Operation("notifications:read"), Operation("notifications:write")

OPERATIONS: dict[str, Operation] = {
    "GET /.well-known/jwks.json": PUBLIC,
    "GET /auth/api-keys": OWN,
    "POST /auth/api-keys": OWN,
    "DELETE /auth/api-keys/{key_id}": OWN,
    "GET /auth/api-keys/{key_id}": OWN,
    "PATCH /auth/api-keys/{key_id}": Operation(body={"status": "stopped"}),
    "GET /auth/api-keys/{key_id}/allowlist": OWN,
    "POST /auth/api-keys/{key_id}/allowlist": Operation(body={"cidr": "203.0.113.0/24"}),
    "DELETE /auth/api-keys/{key_id}/allowlist/{entry_id}": OWN,
    "POST /auth/api-keys/{key_id}/rotate": OWN,
    "POST /auth/assertions": OWN,
    "GET /auth/audit": OWN,
    "POST /auth/discord/installs": OWN,
    "PUT /auth/email": OWN,
    "POST /auth/email/confirm": PUBLIC,
    "GET /auth/identities": OWN,
    "GET /auth/identities/discord/guilds": OWN,
    "DELETE /auth/identities/{provider}": OWN,
    "POST /auth/identities/{provider}/link": OWN,
    "POST /auth/login": PUBLIC,
    "POST /auth/logout": OWN,
    "DELETE /auth/me": OWN,
    "GET /auth/me": OWN,
    "PATCH /auth/me": OWN,
    "GET /auth/me/export": OWN,
    "POST /auth/mfa/recovery-codes": OWN,
    "DELETE /auth/mfa/totp": OWN,
    "GET /auth/mfa/totp": OWN,
    "POST /auth/mfa/totp": OWN,
    "POST /auth/mfa/verify": PUBLIC,
    "POST /auth/oauth/exchange": PUBLIC,
    "GET /auth/oauth/{provider}/authorize": PUBLIC,
    "POST /auth/oauth/{provider}/authorize": PUBLIC,
    "GET /auth/oauth/{provider}/callback": PUBLIC,
    "PUT /auth/password": OWN,
    "POST /auth/password/forgot": PUBLIC,
    "POST /auth/password/reset": PUBLIC,
    "GET /auth/providers": PUBLIC,
    "POST /auth/reauthenticate": OWN,
    "POST /auth/refresh": PUBLIC,
    "POST /auth/register": PUBLIC,
    "GET /auth/session/renew": PUBLIC,
    "POST /auth/session/renew": PUBLIC,
    "DELETE /auth/sessions": OWN,
    "GET /auth/sessions": OWN,
    "DELETE /auth/sessions/{session_id}": OWN,
    "GET /auth/users": MANAGERS,
    "GET /auth/users/{user_id}": MANAGERS,
    "GET /auth/users/{user_id}/api-keys": MANAGERS,
    "DELETE /auth/users/{user_id}/api-keys/{key_id}": MANAGERS,
    "DELETE /auth/users/{user_id}/mfa": MANAGERS,
    "PATCH /auth/users/{user_id}": Operation(permission=True, body={"status": "blocked"}),
    "POST /auth/verify": PUBLIC,
    "POST /auth/verify/resend": PUBLIC,
    "POST /v1/feedback/ses": PUBLIC,
    "GET /v1/notifications": READ,
    "POST /v1/notifications": WRITE,
    "GET /v1/notifications/counts": READ,
    "POST /v1/notifications/retry": WRITE,
    "GET /v1/notifications/{notification_id}": READ,
    "GET /v1/notifications/{notification_id}/content": READ,
    "POST /v1/notifications/{notification_id}/cancel": WRITE,
    "POST /v1/notifications/{notification_id}/restore": WRITE,
    "POST /v1/notifications/{notification_id}/retry": WRITE,
    "GET /v1/stats": Operation("stats:read"),
    "GET /v1/subscriptions": READ,
    "POST /v1/subscriptions": WRITE,
    "DELETE /v1/subscriptions/{subscription_id}": WRITE,
    "GET /v1/suppressions": Operation("suppressions:read"),
    "POST /v1/suppressions": Operation("suppressions:write"),
    "DELETE /v1/suppressions/{suppression_id}": Operation("suppressions:write"),
}
PRIVATE = {name: operation for name, operation in OPERATIONS.items() if not operation.without_credentials}


@dataclass(frozen=True)
class Tenant:
    """A user with a key, an entry of its allow-list, a session and a notification."""

    person: Person
    program: Program
    ids: dict[str, str]


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> tuple[Tenant, Tenant]:
    """The owner, and another user with a key that has every scope."""
    return make_tenant(stack), make_tenant(stack)


def make_tenant(stack: Stack) -> Tenant:
    person = sign_up(stack)
    program = person.program()
    [key] = items(person.client, "/auth/api-keys")
    entry = person.client.post(f"/auth/api-keys/{key['id']}/allowlist", json={"cidr": "::/0"})
    person.client.post(f"/auth/api-keys/{key['id']}/allowlist", json={"cidr": "0.0.0.0/0"}).raise_for_status()
    suppressed = person.client.post("/v1/suppressions", json={"recipient": new_address()})
    ids = {
        "key_id": key["id"],
        "entry_id": entry.json()["id"],
        "session_id": items(person.client, "/auth/sessions")[0]["id"],
        "user_id": person.client.get("/auth/me").json()["id"],
        "notification_id": program.accepted(email(person.email))["id"],
        "suppression_id": suppressed.json()["id"],
    }
    return Tenant(person, program, ids)


def documents(client: httpx.Client) -> dict[str, dict[str, object]]:
    """Return the operations of both OpenAPI documents."""
    paths: dict[str, dict[str, dict[str, object]]] = {}
    for document in ("/auth/openapi.json", "/v1/openapi.json"):
        paths |= client.get(document).json()["paths"]
    return {f"{method.upper()} {path}": one for path, found in paths.items() for method, one in found.items()}


def target_of(name: str, ids: dict[str, str]) -> tuple[str, str]:
    """Return the method and the path of an operation, with the IDs in it."""
    method, _, path = name.partition(" ")
    return method, path.format(provider="google", **ids)


class TestOperations:
    def test_every_operation_has_an_entry_and_names_its_credentials(self, stack: Stack) -> None:
        found = documents(stack.client())
        assert set(OPERATIONS) == set(found)
        assert {name for name, operation in found.items() if operation.get("security")} == set(PRIVATE)

    def test_ids_of_another_user_are_not_found(self, tenants: tuple[Tenant, Tenant]) -> None:
        owner, other = tenants
        with_ids = {name: one for name, one in PRIVATE.items() if any(f"{{{part}}}" in name for part in owner.ids)}
        assert len(with_ids) >= 13
        answers: dict[str, int] = {}
        expected: dict[str, int] = {}
        for name, operation in with_ids.items():
            method, path = target_of(name, owner.ids)
            expected[name] = 403 if operation.permission else 404
            answers[name] = other.person.client.request(method, path, json=operation.body).status_code
            if operation.scope != ACCOUNT:
                expected[f"{name}, signed"] = 404
                answers[f"{name}, signed"] = other.program.signed(method, path).send(other.program.client).status_code
        mixed = f"/auth/api-keys/{other.ids['key_id']}/allowlist/{owner.ids['entry_id']}"
        assert other.person.client.delete(mixed).status_code == 404
        assert answers == expected
        # Nothing of the owner's has changed.
        assert owner.program.get(f"/v1/notifications/{owner.ids['notification_id']}").status_code == 200
        assert len(items(owner.person.client, f"/auth/api-keys/{owner.ids['key_id']}/allowlist")) == 2
        assert owner.person.client.get("/auth/me").status_code == 200

    def test_lists_show_nothing_of_another_user(self, tenants: tuple[Tenant, Tenant], stack: Stack) -> None:
        owner, other = tenants
        found = documents(stack.client())
        lists = [name for name in PRIVATE if name.startswith("GET ") and "{" not in name]
        for name in lists:
            parameters = found[name].get("parameters")
            has_pages = isinstance(parameters, list) and any(one["name"] == "after" for one in parameters)
            for cursor in owner.ids.values() if has_pages else [None]:
                query = {"after": cursor} if cursor is not None else {}
                answer = other.person.client.get(name.partition(" ")[2], params=query)
                # 409: no Discord account is linked.
                assert answer.status_code in ((403,) if PRIVATE[name].permission else (200, 409)), name
                shown = [text for text in (*owner.ids.values(), owner.person.email) if text in answer.text]
                assert shown == [], name


class TestScopes:
    def test_key_that_lacks_the_scope_is_refused(self, stack: Stack) -> None:
        person = sign_up(stack)
        keys = {scope: person.program(scopes=[scope]) for scope in ("stats:read", "inbox:read")}
        ids = [one["id"] for one in items(person.client, "/auth/api-keys")]
        own = {"key_id": ids[0], "session_id": items(person.client, "/auth/sessions")[0]["id"]}
        own |= {"user_id": person.client.get("/auth/me").json()["id"]}
        own |= dict.fromkeys(("entry_id", "notification_id", "subscription_id", "suppression_id"), ids[0])
        answers = {}
        for name, operation in PRIVATE.items():
            key = keys["inbox:read" if operation.scope == "stats:read" else "stats:read"]
            method, path = target_of(name, own)
            answer = key.signed(method, path, operation.body).send(key.client)
            answers[name] = (answer.status_code, answer.json()["code"])
        expected = {
            name: (403, "session_required" if operation.scope == ACCOUNT else "scope_missing")
            for name, operation in PRIVATE.items()
        }
        # It ignores the key, because the refresh token of an expired session signs out as well.
        expected["POST /auth/logout"] = (401, "refresh_refused")
        assert answers == expected

    def test_request_without_credentials_is_refused(self, stack: Stack) -> None:
        parts = {part for name in PRIVATE for part in re.findall(r"{(\w+)}", name)}
        ids = dict.fromkeys(parts - {"provider"}, new_address())
        with stack.client() as client:
            answers = {name: client.request(*target_of(name, ids)).status_code for name in PRIVATE}
        assert answers == dict.fromkeys(PRIVATE, 401)
