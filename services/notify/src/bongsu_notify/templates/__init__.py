"""Built-in templates: the mails that the services themselves send."""
