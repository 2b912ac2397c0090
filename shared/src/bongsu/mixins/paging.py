"""Pages: numbered ones with a total, and cursor pages that cost the same however far one goes."""

from bongsu.mixins.builder import M
from bongsu.mixins.reads import Reads


class Paging(Reads[M]):
    """The part of `Query` that pages."""

    __slots__ = ()
