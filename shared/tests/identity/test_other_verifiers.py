"""Libraries other than ours verify access tokens as docs/access-tokens.md shows."""

import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import joserfc.jwt
import pytest
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import OKPKey

from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenSubject, public_jwk
from tests.infrastructure.node import require_node, require_packages

Verify = Callable[[str, dict[str, object]], dict[str, object]]

ISSUER = "https://bongsu.example"
KEY = SigningKey.generate()
JWKS: dict[str, object] = {"keys": [public_jwk(KEY.kid, KEY.private_key.public_key())]}
PAGE = Path(__file__).parents[3] / "docs" / "access-tokens.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"## Python, (\w+)\n```python\n(.*?)```", TEXT, re.DOTALL))

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")


@pytest.fixture(params=sorted(EXAMPLES))
def verify(request: pytest.FixtureRequest) -> Verify:
    namespace: dict[str, Verify] = {}
    exec(EXAMPLES[request.param], namespace)  # noqa: S102 - the documentation's example
    return namespace["verify"]


def issue(key: SigningKey = KEY, *, issuer: str = ISSUER, age_s: int = 0) -> str:
    subject = TokenSubject(uuid.UUID(int=1), uuid.UUID(int=2), Role.USER, SESSION_SCOPES, 0, ("pwd",))
    return TokenIssuer(issuer, now=lambda: time.time() - age_s).issue(key, subject)


OTHER_TOKENS = {
    "another key": issue(SigningKey(KEY.kid, SigningKey.generate().private_key)),
    "another issuer": issue(issuer="https://evil.example"),
    "expired": issue(age_s=3600),
    "an assertion": AssertionIssuer(ISSUER).issue(
        KEY, user_id=uuid.uuid4(), session_id=uuid.uuid4(), audience="bongsu", method="m", target="t"
    ),
}


class TestVerify:
    def test_page_has_an_example_of_each_library(self) -> None:
        assert set(EXAMPLES) == {"PyJWT", "joserfc"}

    def test_access_token_is_accepted(self, verify: Verify) -> None:
        claims = verify(issue(), JWKS)
        assert (claims["sub"], claims["sid"]) == (str(uuid.UUID(int=1)), str(uuid.UUID(int=2)))

    @pytest.mark.parametrize("name", sorted(OTHER_TOKENS))
    def test_other_token_is_refused(self, verify: Verify, name: str) -> None:
        with pytest.raises(Exception, match=r".") as refused:
            verify(OTHER_TOKENS[name], JWKS)
        assert type(refused.value).__module__.split(".")[0] in {"jwt", "joserfc", "builtins"}


class TestJoserfc:
    @pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
    def test_token_is_refused_by_default_whatever_the_algorithm_is_called(self, name: str) -> None:
        """Without `algorithms`, joserfc verifies HS256, RS256 and ES256 only, so the page names the algorithms."""
        key = OKPKey.generate_key("Ed25519")
        token = joserfc.jwt.encode({"alg": name}, {}, key, algorithms=[name])
        assert joserfc.jwt.decode(token, key, algorithms=[name]).claims == {}
        with pytest.raises(UnsupportedAlgorithmError, match="not recommended"):
            joserfc.jwt.decode(token, key)


class TestJose:
    def test_access_token_is_accepted_and_other_tokens_are_refused(self, request: pytest.FixtureRequest) -> None:
        """The example of the page, with the keys in place of their address."""
        node, folder = require_node(request.node), require_packages(request.node)
        [example] = re.findall(r"## JavaScript, jose\n```js\n(.*?)```", TEXT, re.DOTALL)
        script = re.sub(r"createRemoteJWKSet\(new URL.*?\)\)", f"createLocalJWKSet({json.dumps(JWKS)})", example)
        script = script.replace("{ createRemoteJWKSet", "{ createLocalJWKSet").replace("export ", "")
        tokens = {"access token": issue(), **OTHER_TOKENS}
        script += f"""
            const found = {{}};
            for (const [name, token] of Object.entries({json.dumps(tokens)})) {{
              found[name] = await verify(token).then((claims) => claims.sub, (error) => error.code);
            }}
            console.log(JSON.stringify(found));
        """
        done = subprocess.run(  # noqa: S603 - the documentation's example
            [node, "--input-type=module", "--eval", script], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "access token": str(uuid.UUID(int=1)),
            "another key": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
            "another issuer": "ERR_JWT_CLAIM_VALIDATION_FAILED",
            "expired": "ERR_JWT_EXPIRED",
            "an assertion": "ERR_JWT_CLAIM_VALIDATION_FAILED",
        }
