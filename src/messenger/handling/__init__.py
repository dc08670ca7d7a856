"""Handlers: how they are declared, found, given their arguments and called."""
