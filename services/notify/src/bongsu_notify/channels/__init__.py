"""Ways to reach a person: a folder a channel, registered in `registry`."""
