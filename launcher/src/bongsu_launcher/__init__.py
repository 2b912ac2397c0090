"""The `bongsu` command and the one-process mode: the only package that imports every service."""
