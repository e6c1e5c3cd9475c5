"""A strict Key Vault on the loopback address, so that vault rules bite before a deployment does.

The unmodified Azure SDK clients speak to it. What makes naive code fail in production fails here:
the authentication challenge, soft deletion that takes a moment, names that stay taken, rights per
caller, throttling. It is a development tool: the application never imports it.
"""
