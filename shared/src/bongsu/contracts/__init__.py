"""Wire shapes: the messages between services, and the names of queues. Imports pydantic only."""
