"""The project's own rules, checked by a machine: import contracts (`.importlinter`) and rules on the source text."""
