"""How often messages of a transport may be taken, for the whole fleet."""
