"""Deleting what notify keeps of deleted accounts."""
