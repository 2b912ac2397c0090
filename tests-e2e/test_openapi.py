"""No request to an operation of the APIs, valid or not, gives a server error."""

from collections.abc import Callable
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import pytest
import requests
import schemathesis
from harness.people import Person, log_in, sign_up
from harness.stack import Stack
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation

MODEST = settings(
    max_examples=settings().max_examples * 3 // 20,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

PARTS = 2
"""The operations of a document are spread over as many tests, so that several processes can share them."""

GENERATION = {
    # Every operation reads credentials by the same code: it is enough to generate those of one a document.
    "generation": {"with-security-parameters": False},
    "operations": [
        {"include-name": label, "generation": {"with-security-parameters": True}}
        for label in ("GET /auth/me", "GET /v1/notifications/counts")
    ],
}

NEED_OWN_ACCOUNT = {"POST /auth/reauthenticate", "PUT /auth/password", "DELETE /auth/me"}
"""They delete the account, or their wrong passwords keep it from signing in for the operations that follow."""

ADMINISTRATOR = {"email": "admin@bongsu.test", "password": "five-beacons-at-dusk"}
FOR_ADMINISTRATORS = "/auth/users"
"""Others get 403 here, whatever they send."""


class TestNoServerError:
    """The pytest plugin of schemathesis 4.32 is not used, because it does not support the items of pytest 9."""

    @pytest.mark.hypothesis
    @pytest.mark.timeout(6 * settings().max_examples)
    @pytest.mark.parametrize("part", range(PARTS))
    @pytest.mark.parametrize("document", ["/auth/openapi.json", "/v1/openapi.json"])
    def test_no_operation_crashes(self, stack: Stack, subtests: pytest.Subtests, document: str, part: int) -> None:
        operations = operations_of(f"{stack.url}{document}")
        shared = sign_up(stack)
        administrator = log_in(stack, **ADMINISTRATOR)
        with client() as session:
            for operation in operations[part::PARTS]:
                if operation.label in NEED_OWN_ACCOUNT:
                    caller = sign_up(stack)
                elif operation.path.startswith(FOR_ADMINISTRATORS):
                    caller = administrator
                else:
                    caller = shared = signed_in(stack, shared)
                headers = {"Authorization": f"Bearer {caller.access_token}"}
                with subtests.test(operation=operation.label):
                    attempts(operation, headers, session)()


@cache
def operations_of(url: str) -> list[APIOperation[Any, Any, Any, Any]]:
    """The operations of a document. To read one takes a quarter of a second, so the parts of a document share it."""
    config = SchemathesisConfig.from_dict(GENERATION)
    results = list(schemathesis.openapi.from_url(url, config=config, timeout=60).get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results)
    return operations


def signed_in(stack: Stack, person: Person) -> Person:
    """Log the person in again if an operation has ended the session."""
    return log_in(stack, person.email) if person.client.get("/auth/me").status_code == 401 else person


def client() -> requests.Session:
    """A client that keeps its connection open, and no cookies."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session


def attempts(
    operation: APIOperation[Any, Any, Any, Any], headers: dict[str, str], session: requests.Session
) -> Callable[[], None]:
    """Calls of one operation with valid and with invalid requests."""
    allowed, other = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @MODEST
    @given(case=allowed | other)
    def attempt(case: Case[Any]) -> None:
        case.call_and_validate(headers=headers, session=session, checks=[not_a_server_error], timeout=60)

    # Else every operation gets the same values, because the source of `attempt` is the seed.
    return seed(operation.label)(attempt) if settings().derandomize else attempt
