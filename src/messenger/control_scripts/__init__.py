"""The Lua scripts of the control plane (messenger.control). They read no more of a value than a bound allows."""
