"""The control plane: the registry of running workers, and requests to stop or to pause them."""
