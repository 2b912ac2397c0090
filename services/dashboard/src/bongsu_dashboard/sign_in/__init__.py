"""Getting an account, getting in, and getting out."""
