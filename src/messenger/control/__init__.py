"""The control plane: which workers run, and what they are told to do."""
