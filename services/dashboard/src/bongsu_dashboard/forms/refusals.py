"""How a form is refused."""

from collections.abc import Mapping

from bongsu.runtime.errors import FieldError, Invalid, ServiceError
from bongsu_dashboard.forms.problems import FieldProblem


class UnsupportedForm(ServiceError):
    """A body that is not what a form sends. Answered with 415."""

    code = "unsupported_form"
    title = "Unsupported"

    def __init__(self, content_type: str) -> None:
        super().__init__(f"A form is sent as application/x-www-form-urlencoded, not as {content_type or 'nothing'}")


class FormRefused(Invalid):
    """A form with wrong fields. `values` is what was sent, `problems` say in any language what is wrong with it."""

    code = "form_refused"

    def __init__(self, values: Mapping[str, list[str]], problems: tuple[FieldProblem, ...]) -> None:
        names = ", ".join(dict.fromkeys(problem.field for problem in problems if problem.field))
        errors = [FieldError((problem.field,), problem.kind) for problem in problems]
        super().__init__(f"Wrong input: {names}" if names else "The form cannot be read", errors=errors)
        self.values = values
        self.problems = problems
