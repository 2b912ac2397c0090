"""How the pages look and which language they speak, chosen in this browser."""
