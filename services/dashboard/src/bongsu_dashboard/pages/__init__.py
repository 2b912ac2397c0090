"""How pages are made: templates, words, static files, and the headers and tokens that guard them."""
