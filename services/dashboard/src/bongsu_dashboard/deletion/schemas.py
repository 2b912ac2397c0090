"""The form that deletes an account."""

from typing import Annotated

from pydantic import StringConstraints

from bongsu_dashboard.forms import Form


class DeletionForm(Form):
    """The address or name of the account, typed to confirm."""

    typed: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=320)]
