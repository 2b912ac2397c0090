"""How a process starts, is configured, logs, reports errors, is healthy and stops."""
