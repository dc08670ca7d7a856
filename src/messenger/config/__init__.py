"""messenger.yaml and the environment, read and checked."""

from messenger.config.loader import LoadedConfig, load_config
from messenger.config.model import MessengerConfig, RetryStrategyConfig, TransportConfig

__all__ = ["LoadedConfig", "MessengerConfig", "RetryStrategyConfig", "TransportConfig", "load_config"]
