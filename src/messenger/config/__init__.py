"""messenger.yaml and the environment, read and checked."""
