"""Who somebody is at a provider, and the other way about. auth writes the table; others read it here."""

from uuid import UUID

from bongsu.identity.models import LinkedAccount


async def subject_of(user_id: UUID, provider: str) -> str | None:
    """The provider's id of a user's linked account (`discord`: a snowflake), or None where none is linked."""
    linked = await LinkedAccount.filter_by(user_id=user_id, provider=provider).first()
    return None if linked is None else linked.subject


async def user_of(provider: str, subject: str) -> UUID | None:
    """The user to whom the provider's account is linked, or None."""
    if not subject.isascii() or subject != subject.strip():
        return None
    linked = await LinkedAccount.filter_by(provider=provider, subject=subject).first()
    return None if linked is None else linked.user_id
