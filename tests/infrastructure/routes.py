"""Endpoints are analysed once a process, although most tests build an app of their own.

FastAPI (0.165) reads the signatures of all endpoints of a router, and builds validators for their parameters, at the
first request to each app that includes it: for tests of one or two requests, that took longer than the requests.
"""

from dataclasses import replace

from fastapi import routing

_Context = routing._EffectiveRouteContext
_analyse = _Context.from_api_route


def _analyse_once(*, original_route: routing.APIRoute, include_context: routing._RouterIncludeContext) -> _Context:
    # The app is left out: it would outlive its test, and is used for dependency overrides alone, which no test has.
    without_app = replace(include_context, dependency_overrides_provider=None)
    # Kept at the route, so that both are garbage together.
    analysed: list[tuple[routing._RouterIncludeContext, _Context]] = original_route.__dict__.setdefault("analysed", [])
    for known, context in analysed:
        if known == without_app:
            return context
    context = _analyse(original_route=original_route, include_context=without_app)
    analysed.append((without_app, context))
    return context


_Context.from_api_route = staticmethod(_analyse_once)  # type: ignore[method-assign]  # the same parameters
