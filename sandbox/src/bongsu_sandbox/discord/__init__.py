"""Discord's stand-in: REST, the gateway and OAuth, as far as a bot and a sign-in need them."""
