"""SESv2 requests, as botocore's model of `sesv2` (2019-09-27) describes them. Unknown members are ignored."""

import json
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic_core import ErrorDetails

from bongsu_sandbox.ses.errors import SesError, bad_request

W = TypeVar("W", bound="Wire")


def _template_data(value: str) -> str:
    try:
        data = json.loads(value or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError("must be JSON") from error
    if not isinstance(data, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - pydantic takes ValueError only
    return value


TemplateData = Annotated[str, Field(max_length=262144), AfterValidator(_template_data)]


class Wire(BaseModel):
    """A structure of the wire format: members in PascalCase."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_pascal)


class Content(Wire):
    data: str
    charset: str | None = None


class Body(Wire):
    text: Content | None = None
    html: Content | None = None


class Header(Wire):
    name: str = Field(min_length=1, max_length=126, pattern=r"^[!-9;-@A-~]+$")
    value: str = Field(min_length=1, max_length=870, pattern=r"^[ -~]*$")


class AttachmentInput(Wire):
    raw_content: str
    file_name: str = Field(min_length=1, max_length=255)
    content_type: str | None = Field(default=None, min_length=1, max_length=78)
    content_id: str | None = Field(default=None, min_length=1, max_length=78)
    content_disposition: Literal["ATTACHMENT", "INLINE"] | None = None
    content_description: str | None = Field(default=None, max_length=1000)
    content_transfer_encoding: Literal["BASE64", "QUOTED_PRINTABLE", "SEVEN_BIT"] | None = None


Headers = Annotated[tuple[Header, ...], Field(max_length=15)]
Addresses = tuple[str, ...]


class Simple(Wire):
    subject: Content
    body: Body
    headers: Headers = ()
    attachments: tuple[AttachmentInput, ...] = ()


class Raw(Wire):
    data: str


class TemplateContent(Wire):
    subject: str | None = None
    text: str | None = None
    html: str | None = None


class Template(Wire):
    template_name: str | None = Field(default=None, min_length=1)
    template_arn: str | None = Field(default=None, min_length=1)
    template_content: TemplateContent | None = None
    template_data: TemplateData | None = None
    headers: Headers = ()
    attachments: tuple[AttachmentInput, ...] = ()


class EmailContent(Wire):
    simple: Simple | None = None
    raw: Raw | None = None
    template: Template | None = None


class Tag(Wire):
    name: str
    value: str


class Destination(Wire):
    to_addresses: Addresses = ()
    cc_addresses: Addresses = ()
    bcc_addresses: Addresses = ()

    def all(self) -> tuple[str, ...]:
        return self.to_addresses + self.cc_addresses + self.bcc_addresses


class SendEmail(Wire):
    from_email_address: str | None = None
    destination: Destination = Destination()
    reply_to_addresses: Addresses = ()
    content: EmailContent
    email_tags: tuple[Tag, ...] = ()
    configuration_set_name: str | None = None


class BulkContent(Wire):
    template: Template | None = None


class ReplacementTemplate(Wire):
    replacement_template_data: TemplateData | None = None


class ReplacementContent(Wire):
    replacement_template: ReplacementTemplate | None = None


class BulkEntry(Wire):
    destination: Destination
    replacement_tags: tuple[Tag, ...] = ()
    replacement_headers: Headers = ()
    replacement_email_content: ReplacementContent | None = None


class SendBulkEmail(Wire):
    from_email_address: str | None = None
    reply_to_addresses: Addresses = ()
    default_email_tags: tuple[Tag, ...] = ()
    default_content: BulkContent
    bulk_email_entries: tuple[BulkEntry, ...]
    configuration_set_name: str | None = None


def parse(kind: type[W], body: bytes) -> W:
    """Read a request.

    :raises SesError: as SES answers to a body of another shape.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False)[0]) from None


def _explain(problem: ErrorDetails) -> SesError:
    path = ".".join(
        f"{part + 1}.member" if isinstance(part, int) else part[:1].lower() + part[1:] for part in problem["loc"]
    )
    kind = problem["type"]
    if kind == "json_invalid":
        return SesError("SerializationException", 400, "The request body could not be read as JSON")
    if kind.endswith("_type"):
        return SesError("SerializationException", 400, f"Unexpected field type at '{path}'")
    shown = "null" if kind == "missing" else f"'{str(problem['input'])[:200]}'"
    return bad_request(
        f"1 validation error detected: Value {shown} at '{path}' failed to satisfy constraint: {_constraint(problem)}"
    )


def _constraint(problem: ErrorDetails) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return "Member must not be null"
        case "string_too_long" | "too_long":
            return f"Member must have length less than or equal to {context['max_length']}"
        case "string_too_short" | "too_short":
            return f"Member must have length greater than or equal to {context['min_length']}"
        case "string_pattern_mismatch":
            return f"Member must satisfy regular expression pattern: {context['pattern']}"
        case "literal_error":
            return f"Member must satisfy enum value set: [{context['expected']}]"
        case _:
            return f"Member {problem['msg'].removeprefix('Value error, ')}"
