"""Runs function_app.py on this machine as the Azure Functions host and its Python worker would.

Where the real pair is strict or odd (empty bodies, a wrong method is a 404, cookies rebuilt, routes
tried in order of name), so is this one: what works here must not fail in Azure. `python -m
local.devhost --help` says how to start it; its first line of output says what it leaves out.
"""
