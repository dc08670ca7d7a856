"""The connection to a Redis server or cluster, and the Lua scripts that run there."""
