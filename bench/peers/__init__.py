"""The mixins against other libraries of their kind, each in an environment of its own with exact versions.

A folder is a peer: `requirements.txt` is its environment (none: ours), `worker.py` the process that runs in it.
Every worker also does the same work in SQLAlchemy Core with its own SQLAlchemy, and a peer's figure is the ratio of the
two: so a newer SQLAlchemy, or the cost of a driver, is not taken for a library's merit.
"""
