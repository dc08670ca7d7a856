"""While a message with a key is on its way, no other one with it is sent (Symfony 7.3)."""
