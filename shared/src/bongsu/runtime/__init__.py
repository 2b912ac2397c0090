"""Settings, logs, errors, HTTP, metrics and migrations: the base of every process."""
