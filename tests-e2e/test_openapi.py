"""No request to an operation of the APIs, valid or not, gives a server error."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import schemathesis
from harness.people import log_in, sign_up
from harness.stack import Stack
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation

MODEST = settings(
    max_examples=settings().max_examples // 4,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

PARTS = 4
"""The operations of a document are spread over as many tests, so that several processes can share them."""

NEED_OWN_ACCOUNT = {"POST /auth/reauthenticate", "PUT /auth/password", "DELETE /auth/me"}
"""They delete the account, or their wrong passwords keep it from signing in for the operations that follow."""


class TestNoServerError:
    """The pytest plugin of schemathesis 4.32 is not used, because it does not support the items of pytest 9."""

    @pytest.mark.hypothesis
    @pytest.mark.timeout(6 * settings().max_examples)
    @pytest.mark.parametrize("part", range(PARTS))
    @pytest.mark.parametrize("document", ["/auth/openapi.json", "/v1/openapi.json"])
    def test_no_operation_crashes(self, stack: Stack, subtests: pytest.Subtests, document: str, part: int) -> None:
        operations = operations_of(f"{stack.url}{document}")
        shared = sign_up(stack).email
        for operation in operations[part::PARTS]:
            email = sign_up(stack).email if operation.label in NEED_OWN_ACCOUNT else shared
            # A new session each time, because an operation may end it.
            headers = {"Authorization": f"Bearer {log_in(stack, email).access_token}"}
            with subtests.test(operation=operation.label):
                attempts(operation, headers)()


@cache
def operations_of(url: str) -> list[APIOperation[Any, Any, Any, Any]]:
    """The operations of a document. To read one takes a quarter of a second, so the parts of a document share it."""
    results = list(schemathesis.openapi.from_url(url, timeout=60).get_all_operations())
    operations = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(operations) == len(results)
    return operations


def attempts(operation: APIOperation[Any, Any, Any, Any], headers: dict[str, str]) -> Callable[[], None]:
    """Calls of one operation with valid and with invalid requests."""
    allowed, other = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @MODEST
    @given(case=allowed | other)
    def attempt(case: Case[Any]) -> None:
        case.call_and_validate(headers=headers, checks=[not_a_server_error], timeout=60)

    return attempt
