"""Kakao tokens of linked users, with which notify sends messages to them."""
