"""Services that answer what the app asks and cost next to nothing: what is measured is the client.

Azurite and the strict stand-ins of local/ are for behaviour; against them a benchmark would
measure JavaScript and token signing.
"""
