"""Makes mypy tell this function_app from the real one; the dev host does not need it."""
