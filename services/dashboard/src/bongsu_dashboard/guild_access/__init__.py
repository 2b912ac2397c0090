"""Who may manage the modules of a server."""
