"""Recent authentication, which changes of credentials require."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity.models import User, UserSession
from bongsu_auth.errors import ReauthenticationRequired

RECENT = timedelta(minutes=10)


async def require_recent(user_id: UUID, session_id: UUID | None) -> None:
    """Require an authentication within the last ten minutes in this session, with the second factor if it is on.

    The session's row counts, not the token, which may be older. A session that was opened before the second factor
    was turned on may be that of an attacker who has the password alone.

    :raises ReauthenticationRequired: it was longer ago.
    """
    session = await UserSession.filter_by(id=session_id, user_id=user_id).first() if session_id is not None else None
    user = await User.get_or_none(user_id)
    if user is None or session is None or session.auth_time < datetime.now(UTC) - RECENT:
        raise ReauthenticationRequired
    if user.has_second_factor and "mfa" not in session.amr.split():
        raise ReauthenticationRequired
