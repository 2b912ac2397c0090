"""Whatever is sent to an operation of the APIs, the answer is none of our crashes."""

from typing import Any

import pytest
import schemathesis
from harness.people import sign_up
from harness.stack import Stack
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema

AnyCase = Case[Any]
MODEST = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="session")
def auth_document(stack: Stack) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{stack.url}/auth/openapi.json")


@pytest.fixture(scope="session")
def notify_document(stack: Stack) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{stack.url}/v1/openapi.json")


@pytest.fixture
def authorization(stack: Stack) -> dict[str, str]:
    """Of somebody new: a test may well sign them out."""
    return {"Authorization": f"Bearer {sign_up(stack).access_token}"}


auth = schemathesis.pytest.from_fixture("auth_document")
notify = schemathesis.pytest.from_fixture("notify_document")


class TestNoServerError:
    @auth.parametrize()
    @MODEST
    def test_auth_never_crashes(self, case: AnyCase, authorization: dict[str, str]) -> None:
        case.call_and_validate(headers=authorization, checks=[not_a_server_error])

    @notify.parametrize()
    @MODEST
    def test_notify_never_crashes(self, case: AnyCase, authorization: dict[str, str]) -> None:
        case.call_and_validate(headers=authorization, checks=[not_a_server_error])
