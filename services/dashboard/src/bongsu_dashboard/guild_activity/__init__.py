"""What happened in a server: its notifications, uses of commands, and changes."""
