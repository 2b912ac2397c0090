"""Request bodies: JSON, forms, and forms with JSON and files."""

import json
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from fastapi import Request

from bongsu_sandbox.discord.errors import DiscordError
from bongsu_sandbox.discord.wire import Wire


async def read(request: Request) -> tuple[Wire, list[Wire]]:
    """Read a body. Returns the fields, and name and size of each file.

    :raises DiscordError: it cannot be read.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.body()
    if media_type == "multipart/form-data":
        return _multipart(request.headers["content-type"], raw)
    if media_type == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
        return (parse(fields["payload_json"].encode()) if "payload_json" in fields else dict(fields)), []
    return (parse(raw) if raw else {}), []


def parse_json(raw: bytes) -> object:
    """Parse JSON.

    :raises DiscordError: invalid JSON.
    """
    try:
        return json.loads(raw)
    except ValueError:
        raise DiscordError(400, 50109, "The request body contains invalid JSON.") from None


def parse(raw: bytes) -> Wire:
    """Parse a JSON object.

    :raises DiscordError: invalid JSON, or not an object.
    """
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise DiscordError(400, 50035, "Invalid Form Body", {"_errors": [{"code": "DICT_TYPE_CONVERT"}]})
    return value


def _multipart(content_type: str, raw: bytes) -> tuple[Wire, list[Wire]]:
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + raw)
    payload: Wire = {}
    files: list[Wire] = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        name = part.get_param("name", header="content-disposition")
        if name == "payload_json":
            payload = parse(data)
        elif part.get_filename() is not None:
            files.append({"filename": part.get_filename(), "size": len(data)})
        elif isinstance(name, str):
            payload[name] = data.decode("utf-8", "replace")
    return payload, files
