"""Envelopes as bytes: Symfony's wire format."""
