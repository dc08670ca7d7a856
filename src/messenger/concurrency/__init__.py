"""Event loops, threads, forked processes, and objects that threads share."""
