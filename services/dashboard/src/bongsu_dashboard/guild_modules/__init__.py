"""The modules of a server: shown, switched and set."""
