"""`/healthz` and `/metrics`, and the app of a process that serves nothing else.

Without FastAPI, which takes 10 MiB more: the worker has none to spare.
"""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Lifespan

from bongsu.runtime.metrics import CONTENT_TYPE, Metrics
from bongsu.runtime.middleware import add_middleware
from bongsu.runtime.problems import http_exception_response

MAX_BODY_BYTES = 1024


def create_health_app(*, metrics: Metrics, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Build the app of a process that has no API: it has the conventions of every edge, `/healthz` and `/metrics`."""
    app = Starlette(lifespan=lifespan, exception_handlers={HTTPException: http_exception_response})
    app.state.metrics = metrics
    add_health(app)
    add_middleware(app, metrics=metrics, max_body_bytes=MAX_BODY_BYTES)
    return app


def add_health(app: Starlette) -> None:
    """Add `/healthz`, which answers while the process is alive, and `/metrics` with what `app.state.metrics` holds."""
    app.add_route("/healthz", _show_health, include_in_schema=False)
    app.add_route("/metrics", _show_metrics, include_in_schema=False)


async def _show_health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _show_metrics(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.render(), media_type=CONTENT_TYPE)
