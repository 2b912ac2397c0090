"""Rendering of pages: templates, texts, static files, security headers and CSRF tokens."""
