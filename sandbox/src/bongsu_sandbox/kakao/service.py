"""Kakao's sign-in: consent items, ID tokens and the user object."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal

from bongsu_sandbox.people import Person
from bongsu_sandbox.settings import KAKAO_CONSENT_ITEMS
from bongsu_sandbox.sign_in.requests import AuthorizationRequest, WrongRequest, read_challenge
from bongsu_sandbox.sign_in.service import SignIn, Wire

_PICTURE: Final = "http://k.kakaocdn.net/dn/{}/img_640x640.jpg"


class KakaoSignIn(SignIn):
    """`consent_items` are the scopes that the app may request: others are KOE205."""

    name: ClassVar[Literal["google", "kakao"]] = "kakao"
    exchange_route: ClassVar = "/oauth/token"
    token_s: ClassVar = 21_599
    required_scopes: ClassVar = frozenset({"openid", "profile_nickname"})
    consent_items: tuple[str, ...] = KAKAO_CONSENT_ITEMS

    def read(self, query: Mapping[str, str]) -> AuthorizationRequest:
        """See the base class."""
        if query.get("client_id") != self.client.id:
            raise WrongRequest("KOE101: Not exist client_id")
        redirect_uri = query.get("redirect_uri", "")
        if not self.client.may_redirect_to(redirect_uri):
            raise WrongRequest("KOE006: Redirect URI mismatch")
        if query.get("response_type") != "code":
            raise WrongRequest("KOE201: response_type must be code")
        asked = [scope for scope in re.split("[ ,]+", query.get("scope", "")) if scope]
        scopes = tuple(dict.fromkeys(asked or self.consent_items))
        unknown = [scope for scope in scopes if scope not in ("openid", *self.consent_items)]
        if unknown:
            raise WrongRequest(f"KOE205: invalid_scope, consent items that are not set up: {', '.join(unknown)}")
        return AuthorizationRequest(
            scopes=scopes,
            redirect_uri=redirect_uri,
            state=query.get("state"),
            code_challenge=read_challenge(query),
            prompt=query.get("prompt", ""),
            nonce=query.get("nonce"),
        )

    def user_id(self, person: Person) -> int:
        """Return a person's ID, which is a number at Kakao."""
        return 3_000_000_000 + person.number

    def subject(self, person: Person) -> str:
        """See the base class."""
        return str(self.user_id(person))

    def claims(self, person: Person, scopes: list[str]) -> Wire:
        """See the base class."""
        claims: Wire = {"auth_time": int(datetime.now(UTC).timestamp())}
        if "profile_nickname" in scopes:
            claims["nickname"] = person.nickname
        if "profile_image" in scopes:
            claims["picture"] = _PICTURE.format(person.username)
        if "account_email" in scopes and person.email is not None:
            claims["email"] = person.email
        return claims

    def user(self, person: Person, scopes: list[str], keys: list[str] | None) -> Wire:
        """Return the user object.

        :param keys: the wanted properties, such as `kakao_account.email`; None for all.
        """
        account = self._account(person, scopes)
        if keys is not None:
            wanted = [key.removeprefix("kakao_account.").rstrip(".") for key in keys]
            account = {
                name: value
                for name, value in account.items()
                if any(name.removeprefix("is_").startswith(key) for key in wanted)
            }
        return {
            "id": self.user_id(person),
            "connected_at": "2026-01-05T01:02:03Z",
            "kakao_account": account,
        }

    def _account(self, person: Person, scopes: list[str]) -> Wire:
        picture = _PICTURE.format(person.username)
        profile: Wire = {}
        if "profile_nickname" in scopes:
            profile |= {"nickname": person.nickname, "is_default_nickname": False}
        if "profile_image" in scopes:
            profile |= {"profile_image_url": picture, "thumbnail_image_url": picture, "is_default_image": False}
        account: Wire = {
            "profile_nickname_needs_agreement": "profile_nickname" not in scopes,
            "profile_image_needs_agreement": "profile_image" not in scopes,
            "profile": profile,
        }
        if person.email is not None:
            email = {"is_email_valid": True, "is_email_verified": person.verified, "email": person.email}
            account |= _item("email", email, is_shared="account_email" in scopes)
        born = person.born
        items: dict[str, tuple[str, Wire]] = {
            "name": ("name", {"name": person.name}),
            "phone_number": ("phone_number", {"phone_number": person.phone_number}),
            "gender": ("gender", {"gender": person.gender}),
            "age_range": ("age_range", {"age_range": person.age_range(datetime.now(UTC).date())}),
            "birthyear": ("birthyear", {"birthyear": f"{born:%Y}" if born else None}),
            "birthday": (
                "birthday",
                {"birthday": f"{born:%m%d}" if born else None, "birthday_type": "SOLAR", "is_leap_month": False},
            ),
        }
        for name, (scope, values) in items.items():
            if values[name] is not None:
                account |= _item(name, values, is_shared=scope in scopes)
        return account


def _item(name: str, values: Wire, *, is_shared: bool) -> Wire:
    return {f"{name}_needs_agreement": not is_shared, **(values if is_shared else {})}
