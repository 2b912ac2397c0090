"""The text that `bongsu up` prints once it is ready."""

from bongsu_launcher import demo
from bongsu_launcher.settings import Composed

_WIDTH = 76


def text(composed: Composed) -> str:
    """The address, the demo users and what to try."""
    url = composed.platform.url
    lines = ["", f"  봉수 Bongsu is ready: {url}", "  " + "─" * _WIDTH, f"  Dashboard   {url}/"]
    lines.append(f"  Data        {composed.state.path}")
    if composed.sandbox is not None:
        lines.append(f"  Sandbox     {url}/sandbox/   (mailbox: {url}/sandbox/mailbox)")
    lines.append(f"  APIs        {url}/auth/docs   {url}/v1/docs")
    if composed.notify.sandbox:
        lines += _examples()
    lines += ["", "  Press Ctrl-C to stop.", ""]
    return "\n".join(lines)


def _examples() -> list[str]:
    return [
        "",
        f"  Demo users  (password: {demo.PASSWORD})",
        *(f"              {user.email:24} {user.role}" for user in demo.USERS),
        "",
        "  Try it      .venv/bin/bongsu key create " + demo.USERS[0].email,
        "              .venv/bin/bongsu send you@example.com --subject '안녕하세요' --text '봉수가 올랐습니다 🔥'",
    ]
