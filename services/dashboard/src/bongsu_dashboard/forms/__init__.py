"""Forms as browsers post them, with htmx and without, into Pydantic models."""

from bongsu_dashboard.forms.decoding import KeepCommas
from bongsu_dashboard.forms.hx_form import Attempt, Draft, Form, HxDraft, HxForm
from bongsu_dashboard.forms.problems import FieldProblem
from bongsu_dashboard.forms.refusals import FieldsRefused, FormError

__all__ = ["Attempt", "Draft", "FieldProblem", "FieldsRefused", "Form", "FormError", "HxDraft", "HxForm", "KeepCommas"]
