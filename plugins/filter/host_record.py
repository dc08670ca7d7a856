"""Filter that compares what applications on one host need of a service."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.messenger.kit.plugins.module_utils.host_record import differences


class FilterModule:
    """The filter `host_record_differences`."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the function by the name of the filter."""
        return {"host_record_differences": differences}
