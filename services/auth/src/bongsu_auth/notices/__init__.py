"""Mails to the owner of an account about changes of its security."""
