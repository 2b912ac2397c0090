"""Libraries other than ours verify access tokens as docs/access-tokens.md shows."""

import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenSubject, public_jwk

Verify = Callable[[str, dict[str, object]], dict[str, object]]

ISSUER = "https://bongsu.example"
KEY = SigningKey.generate()
JWKS: dict[str, object] = {"keys": [public_jwk(KEY.kid, KEY.private_key.public_key())]}
PAGE = Path(__file__).parents[3] / "docs" / "access-tokens.md"
EXAMPLES = dict(re.findall(r"## Python, (\w+)\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")


@pytest.fixture(params=sorted(EXAMPLES))
def verify(request: pytest.FixtureRequest) -> Verify:
    namespace: dict[str, Verify] = {}
    exec(EXAMPLES[request.param], namespace)  # noqa: S102 - the documentation's example
    return namespace["verify"]


def issue(key: SigningKey = KEY, *, issuer: str = ISSUER, age_s: int = 0) -> str:
    subject = TokenSubject(uuid.UUID(int=1), uuid.UUID(int=2), Role.USER, SESSION_SCOPES, 0, ("pwd",))
    return TokenIssuer(issuer, now=lambda: time.time() - age_s).issue(key, subject)


class TestVerify:
    def test_page_has_an_example_of_each_library(self) -> None:
        assert set(EXAMPLES) == {"PyJWT", "joserfc"}

    def test_access_token_is_accepted(self, verify: Verify) -> None:
        claims = verify(issue(), JWKS)
        assert (claims["sub"], claims["sid"]) == (str(uuid.UUID(int=1)), str(uuid.UUID(int=2)))

    @pytest.mark.parametrize(
        "token",
        [
            pytest.param(issue(SigningKey(KEY.kid, SigningKey.generate().private_key)), id="another key"),
            pytest.param(issue(issuer="https://evil.example"), id="another issuer"),
            pytest.param(issue(age_s=3600), id="expired"),
            pytest.param(
                AssertionIssuer(ISSUER).issue(
                    KEY, user_id=uuid.uuid4(), session_id=uuid.uuid4(), audience="bongsu", method="m", target="t"
                ),
                id="an assertion",
            ),
        ],
    )
    def test_other_token_is_refused(self, verify: Verify, token: str) -> None:
        with pytest.raises(Exception, match=r".") as refused:
            verify(token, JWKS)
        assert type(refused.value).__module__.split(".")[0] in {"jwt", "joserfc", "builtins"}
