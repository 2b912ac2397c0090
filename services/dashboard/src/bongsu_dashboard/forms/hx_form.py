"""The dependency that fills a Pydantic model from a posted form.

async def save(form: HxForm[Settings]) -> …        # a Settings; an invalid form is answered with 422
async def save(form: HxDraft[Settings]) -> …       # a Draft: the values and their problems, to render the form again
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from bongsu_dashboard.forms.decoding import Undecodable, decode, group, read_pairs, slots_of
from bongsu_dashboard.forms.problems import FieldProblem, problems_of
from bongsu_dashboard.forms.refusals import FormError, FormRefused, UnsupportedForm

CSRF_FIELD = "csrf_token"
ATTEMPT = "attempt"
"""The field that is the idempotency key of forms which must not take effect twice."""
FORM_TYPE = "application/x-www-form-urlencoded"
M = TypeVar("M", bound=BaseModel)


Attempt = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
"""Made with the page: a form that is posted twice has its effect once."""


class Form(BaseModel):
    """The base of this site's forms; by itself a form with no fields besides the CSRF token."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Draft(Generic[M]):
    """A form as sent. `model` is None if and only if there are `problems`."""

    model: M | None = None
    values: Mapping[str, list[str]] = field(default_factory=dict)
    problems: tuple[FieldProblem, ...] = ()

    def value(self, name: str, default: str = "") -> str:
        """Return the value sent for a field, to fill it in again. Not for passwords."""
        given = self.values.get(name)
        return given[-1] if given else default

    def problem(self, name: str) -> FieldProblem | None:
        return next((problem for problem in self.problems if problem.field == name), None)

    def accept(self) -> M:
        """Return the model.

        :raises FormRefused: the form has problems.
        """
        if self.model is None:
            raise FormRefused({**self.values}, self.problems)
        return self.model

    def refused(self, *problems: FieldProblem) -> "Draft[M]":
        """Return the same form with more problems."""
        return Draft(None, self.values, (*self.problems, *problems))

    def refused_by(self, error: FormError) -> "Draft[M]":
        """Return the same form with the problems of an error, and without the values that it makes useless."""
        useless = self.values.keys() if error.is_outdated else {ATTEMPT} if error.uses_up_attempt else set[str]()
        kept = {name: value for name, value in self.values.items() if name not in useless}
        return Draft(None, kept, (*self.problems, *error.problems_for(self.values)))


async def read_form(request: Request) -> dict[str, list[str]]:
    """Read the body of a posted form.

    :raises UnsupportedForm: another content type, such as JSON.
    :raises FormRefused: the body cannot be decoded.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != FORM_TYPE:
        raise UnsupportedForm(content_type)
    try:
        return group(read_pairs(await request.body()))
    except Undecodable:
        raise FormRefused({}, ()) from None


def hx_draft(model: type[M]) -> Callable[[Request], Awaitable[Draft[M]]]:
    """Return the dependency of `HxDraft[Model]`: the posted form, valid or not.

    :raises UnsupportedForm, FormRefused: the body is not a form.
    """
    slots = slots_of(model)
    names = {slot.key: name for name, slot in slots.items()}

    async def draft(request: Request) -> Draft[M]:
        sent = await read_form(request)
        sent.pop(CSRF_FIELD, None)
        data, problems = decode(sent, slots)
        undecoded = {problem.field for problem in problems}
        try:
            filled = model.model_validate(data)
        except ValidationError as error:
            # One problem a field: a field that cannot be decoded is not reported as missing as well.
            problems += [found for found in problems_of(error, names) if found.field not in undecoded]
            return Draft(None, sent, tuple(problems))
        return Draft(None if problems else filled, sent, tuple(problems))

    return draft


def hx_form(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Return the dependency of `HxForm[Model]`: the model, filled from the posted form.

    :raises FormRefused: invalid fields; the response names them.
    :raises UnsupportedForm: the body is not a form.
    """
    read = hx_draft(model)

    async def form(request: Request) -> M:
        return (await read(request)).accept()

    return form


if TYPE_CHECKING:
    HxForm = Annotated[M, "filled from a form"]
    HxDraft = Annotated[Draft[M], "read from a form"]
else:

    class HxForm:
        """`HxForm[Model]`: the model, filled from the posted form."""

        def __class_getitem__(cls, model: type[BaseModel]) -> Any:  # noqa: ANN401 - an annotation
            return Annotated[model, Depends(hx_form(model))]

    class HxDraft:
        """`HxDraft[Model]`: the posted form as a `Draft[Model]`."""

        def __class_getitem__(cls, model: type[BaseModel]) -> Any:  # noqa: ANN401 - an annotation
            return Annotated[Draft[model], Depends(hx_draft(model))]
