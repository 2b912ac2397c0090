"""The `bongsu` command, and everything in one process: the only place that imports every service."""
