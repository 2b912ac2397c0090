"""The dashboard's addresses that replies lead to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Links:
    """:param public_url: without a slash at the end."""

    public_url: str

    @property
    def account(self) -> str:
        """The page on which a user links accounts."""
        return f"{self.public_url}/account"
