"""Discord's JSON objects."""

import json
from collections.abc import Mapping
from importlib import resources

Wire = dict[str, object]

FIXED_FIELDS: Mapping[str, Wire] = json.loads(resources.files(__package__).joinpath("fixed_fields.json").read_bytes())
"""The fields of each object that have the same values in every object of the stand-in."""
