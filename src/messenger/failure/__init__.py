"""Failed messages: when they are retried, and where they are stored."""
