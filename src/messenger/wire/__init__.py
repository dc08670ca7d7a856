"""Envelopes as bytes: Symfony's wire format (spec section 9)."""
