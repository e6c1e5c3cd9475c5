"""A strict stand-in for Entra, the few Graph calls and App Service's managed identity endpoint.

For development and tests only. It refuses what Entra refuses, with Entra's codes, because those
refusals are what break an app in production. Start it with `python -m local.entra --help`.
"""
