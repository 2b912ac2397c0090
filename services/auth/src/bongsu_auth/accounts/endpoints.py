"""Sign-up, the proof of an address, and one's own account."""

import asyncio
import secrets
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from bongsu import mixins
from bongsu.identity.audit import Actor
from bongsu.identity.dependencies import Caller, require_account
from bongsu.identity.models import User
from bongsu.runtime.errors import Unauthorised
from bongsu.runtime.negotiation import preferred_language
from bongsu.runtime.problems import problems
from bongsu_auth.accounts import service
from bongsu_auth.accounts.schemas import Accepted, Me, MePatch, RegisterIn, ResendIn, Verified, VerifyIn
from bongsu_auth.errors import PasswordRequired, VerificationRefused, invalid_field
from bongsu_auth.wiring import Wiring

RESEND_ANSWERED_AFTER_S = 0.15
"""The time that a resend takes, whatever there was to do, so that it does not tell whether an address is waiting."""

Account = Annotated[Caller, Depends(require_account)]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth", tags=["accounts"])
    cookies = wiring.identity.cookies

    @router.post("/register", status_code=202, responses=problems(400, 413, 422, 429, 503))
    async def register(body: RegisterIn, request: Request, response: Response) -> Accepted:
        """Sign up. The answer is the same whether the address is known or not; a mail tells its owner what to do next.

        The account is there once the link in the mail was followed (`POST /auth/verify`).
        """
        await wiring.sign_ups.count(wiring.identity.address(request), wiring.database)
        browser = secrets.token_urlsafe(32)
        sign_up = service.SignUp(
            email=body.email,
            hashed_password=await wiring.hasher.hash(body.password.get_secret_value()),
            name=body.name,
            locale=body.locale
            or preferred_language(request.headers.get("accept-language"), ("ko", "en"), default="ko"),
            browser=browser,
        )
        await wiring.database.run(lambda: service.register(sign_up, wiring.mails))
        max_age_s = int(wiring.settings.registration_lifetime.total_seconds())
        cookies.set(response, cookies.registration, browser, max_age_s=max_age_s)
        return Accepted()

    @router.post("/verify", responses=problems(400, 413, 422, 503))
    async def verify(body: VerifyIn, request: Request, response: Response) -> Verified:
        """Prove the address with the token of the mail's link.

        In another browser than the one that signed up, the password of the sign-up is needed as well: a link that
        somebody else asked for must not make an account with their password.
        """
        browser = request.cookies.get(cookies.registration)
        await _verify(wiring, body, browser, wiring.identity.address(request))
        cookies.clear(response, cookies.registration)
        return Verified()

    @router.post("/verify/resend", status_code=202, responses=problems(400, 413, 422, 429, 503))
    async def resend(body: ResendIn, request: Request) -> Accepted:
        """Ask for the mail of a sign-up once more. The answer is the same whether there is one or not."""
        answer_at = time.monotonic() + RESEND_ANSWERED_AFTER_S
        await wiring.sign_ups.count(wiring.identity.address(request), wiring.database)
        browser = request.cookies.get(cookies.registration)
        await wiring.database.run(lambda: service.resend(body.email, browser, wiring.mails))
        await asyncio.sleep(answer_at - time.monotonic())
        return Accepted()

    @router.get("/me", responses=problems(401, 403))
    async def me(caller: Account) -> Me:
        """Your account."""
        user = await User.get_or_none(caller.user_id)
        if user is None:
            raise Unauthorised("The account is gone", code="token_refused")
        return Me.of(user)

    @router.patch("/me", responses=problems(400, 401, 403, 413, 422, 503))
    async def patch_me(body: MePatch, caller: Account) -> Me:
        """Change your name or language; what is left out stays, and a name of null is taken away."""
        changes = {name: getattr(body, name) for name in body.model_fields_set}
        if "locale" in changes and changes["locale"] is None:
            raise invalid_field("locale", "Give `ko` or `en`, or leave it out")
        return Me.of(await wiring.database.run(lambda: service.update_me(caller.user_id, changes)))

    return router


async def _verify(wiring: Wiring, body: VerifyIn, browser: str | None, address: str | None) -> None:
    """The same answer and the same work for a token that is unknown, used, too old, or given with a wrong password."""
    waiting = await service.waiting_registration(body.token)
    if body.password is None:
        if waiting is None or browser is None or not service.is_of_browser(waiting, browser):
            raise PasswordRequired
    else:
        hashed = waiting.hashed_password if waiting is not None else None
        verdict = await wiring.hasher.verify(body.password.get_secret_value(), hashed)
        if waiting is None:
            raise VerificationRefused
        if not verdict.right:
            await service.count_attempt(waiting.id)
            raise VerificationRefused
    try:
        await wiring.database.run(lambda: service.activate(waiting.id, wiring.mails, Actor(address=address)))
    except mixins.Conflict:
        # Another sign-up for the address was proven at this very moment.
        raise VerificationRefused from None
