"""Wire shapes: what travels between services and what their names are. Imports pydantic only."""
