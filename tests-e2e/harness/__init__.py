"""What the whole-system tests share: stacks to test against, and people who use them."""
