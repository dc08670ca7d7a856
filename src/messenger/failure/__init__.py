"""Failed messages: whether and when they are tried again, and where they are kept."""
