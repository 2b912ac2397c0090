"""`Query[M]`: what `Model.filter_by(…)` gives."""

from bongsu.mixins.builder import M
from bongsu.mixins.paging import Paging
from bongsu.mixins.writes import Writes


class Query(Paging[M], Writes[M]):
    """A query on `M`: build it step by step (each step is a new query), end it with an awaited method.

    `filter_by exclude order_by load limit offset distinct lock using with_deleted only_deleted unfiltered`, then
    `first one one_or_none all count exists page after values values_list pluck aggregate aggregate_by count_by` or
    `update delete`, or `async for row in query.stream()`.
    """

    __slots__ = ()
