"""Sends text messages. Or would, if it had a gateway."""
