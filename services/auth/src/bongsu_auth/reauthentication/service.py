"""The rule of recent authentication."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity.models import UserSession
from bongsu_auth.errors import ReauthenticationRequired

RECENT = timedelta(minutes=10)


async def require_recent(user_id: UUID, session_id: UUID | None) -> None:
    """Lets pass who signed in, or gave their password again, within the last ten minutes in this session.

    The session's row counts, not the token, which may be older than what it tells of.

    :raises ReauthenticationRequired: it is longer ago.
    """
    session = await UserSession.filter_by(id=session_id, user_id=user_id).first() if session_id is not None else None
    if session is None or session.auth_time < datetime.now(UTC) - RECENT:
        raise ReauthenticationRequired
