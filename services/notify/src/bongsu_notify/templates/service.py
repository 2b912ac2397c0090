"""Renders notify's own templates, in Korean and English."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound, UndefinedError, select_autoescape

from bongsu.runtime.design import light_colours


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's content."""

    subject: str
    text: str | None
    html: str | None


class TemplateFault(Exception):
    """The template does not exist, or a variable is missing. The message names it, never a value."""


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bongsu_notify.templates", "builtin"),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["colour"] = light_colours()
    return environment


def render(name: str, locale: str, variables: Mapping[str, str]) -> Rendered:
    """Render a built-in template.

    :raises TemplateFault: the template does not exist in that language, or a variable is missing.
    """
    try:
        subject, text, html = (
            _environment().get_template(f"{name}.{locale}.{part}").render(variables)
            for part in ("subject", "txt", "html")
        )
    except TemplateNotFound as error:
        raise TemplateFault(f"No template {name!r} in {locale!r}") from error
    except UndefinedError as error:
        raise TemplateFault(f"Template {name!r}: {error.message}") from error
    return Rendered(" ".join(subject.split()), text, html)


def parse_variables(opened: bytes) -> dict[str, str]:
    """Parse sealed variables: a JSON object of strings.

    :raises TemplateFault: they are something else.
    """
    try:
        loaded = json.loads(opened)
    except ValueError as error:
        raise TemplateFault("The variables are not JSON") from error
    if not isinstance(loaded, dict):
        raise TemplateFault("The variables are not an object")
    return {str(name): str(value) for name, value in loaded.items()}
