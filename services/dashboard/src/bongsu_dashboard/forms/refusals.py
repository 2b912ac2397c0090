"""Errors that a form shows to the user who filled it in."""

from collections.abc import Mapping, Sequence

from bongsu.runtime.errors import FieldError, Invalid, ServiceError
from bongsu_dashboard.forms.problems import FieldProblem

_PASSWORDS = frozenset({"password", "new"})


class FormError(ServiceError):
    """An error that the form shows beside `field`, or above its fields. Its text is `form.<code>` in the catalogue.

    `uses_up_attempt`: the form's attempt was made; sent again, the form is another one.
    `is_outdated`: the form shows another user's change now, and nothing of what was sent.
    """

    field = ""
    uses_up_attempt = False
    is_outdated = False

    def problems_for(self, values: Mapping[str, Sequence[str]]) -> tuple[FieldProblem, ...]:
        """Describe the error for a form with these values."""
        del values
        facts = {} if self.retry_after_s is None else {"seconds": max(1, round(self.retry_after_s))}
        return (FieldProblem(self.field, self.code, facts),)


class UnsupportedForm(ServiceError):
    """A body of another content type than a form's. Answered with 415."""

    code = "unsupported_form"
    title = "Unsupported"

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Send the form as application/x-www-form-urlencoded, not as {content_type or 'nothing'}")


class FormRefused(FormError, Invalid):
    """A form with invalid fields: `values` is what the browser sent, `problems` is what is wrong with it."""

    code = "form_refused"

    def __init__(self, values: Mapping[str, list[str]], problems: tuple[FieldProblem, ...]) -> None:
        names = ", ".join(dict.fromkeys(problem.field for problem in problems if problem.field))
        errors = [FieldError((problem.field,), problem.kind) for problem in problems]
        super().__init__(f"Invalid fields: {names}" if names else "The form cannot be read", errors=errors)
        self.values = values
        self.problems = problems

    def problems_for(self, values: Mapping[str, Sequence[str]]) -> tuple[FieldProblem, ...]:
        """Return none: the draft that raised this holds them."""
        del values
        return ()


class FieldsRefused(FormError, Invalid):
    """A form whose fields another service refused."""

    code = "fields_refused"

    def __init__(self, error: Invalid) -> None:
        super().__init__(error.detail, errors=error.errors)

    def problems_for(self, values: Mapping[str, Sequence[str]]) -> tuple[FieldProblem, ...]:
        """Name the refused fields that the form has."""
        names = [str(item.loc[-1]) for item in self.errors if item.loc] or [""]
        return tuple(
            FieldProblem(name if name in values else "", "weak_password" if name in _PASSWORDS else "refused")
            for name in names
        )
