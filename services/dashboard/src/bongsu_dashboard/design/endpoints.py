"""`/design`: only where the public URL is plain http, as in development and beside the sandbox."""

from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Response

from bongsu_dashboard.forms import Draft, FieldProblem
from bongsu_dashboard.guilds.guild import Guild, State
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering

router = APIRouter(prefix="/design", include_in_schema=False)

STATES: Final[tuple[State, ...]] = ("active", "pending", "not_added", "outage", "unknown")
TOKENS: Final = ("background", "card", "muted", "primary", "destructive", "ok", "warn", "bad", "busy", "border")
SCHEMES: Final = ("light", "dark")


@router.get("")
async def show_components(render: Rendering, _user: MaybeSignedIn) -> Response:
    now = datetime.now(UTC)
    refused = [FieldProblem(f"wrong-{scheme}", "missing") for scheme in SCHEMES]
    guilds = [
        Guild(id=number << 22, name=name, state=state)
        for number, (name, state) in enumerate(zip(NAMES, STATES, strict=True), start=8)
    ]
    return render(
        "design/design.html",
        schemes=SCHEMES,
        color_tokens=TOKENS,
        guilds=guilds,
        form=Draft(None, {f"filled-{scheme}": ["mina@example.com"] for scheme in SCHEMES}, tuple(refused)),
        moments=[now, now - timedelta(minutes=12), now - timedelta(days=3), now - timedelta(days=40)],
    )


NAMES: Final = (
    "봉수대 개발팀",
    "Indie Makers Seoul",
    "🔥",
    "한강 러닝 크루",
    "A name that is long enough to need a second line",
)
