"""How an application is put together from its messenger.yaml."""
