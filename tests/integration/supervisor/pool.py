"""A pool of workers that the role's module gives to a real supervisord."""

from __future__ import annotations

from typing import Any

from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project
from tests.support.modules import MODULES, load

module = load(MODULES / "supervisor_programs.py")


def supervise(supervisord: Supervisord, wanted: set[str], owned: set[str], *, detach: bool = False) -> dict[str, Any]:
    with module.connect(str(supervisord.conf)) as proxy:
        record = supervisord.directory / "stopping"
        result: dict[str, Any] = module.supervise(proxy.supervisor, wanted, owned, record, detach)
        assert not record.exists()
        return result


class Pool:
    """A pool of workers under a supervisord, in either layout. arguments: of `messenger consume`."""

    def __init__(self, project: Project, supervisord: Supervisord) -> None:
        self.arguments = "async"
        self._project = project
        self._supervisord = supervisord
        self._owned: set[str] = set()

    def write(self, layout: str, processes: int) -> set[str]:
        """Its configuration; the programs in it."""
        if layout == "numprocs":
            texts = {"pool": self._program(numprocs=processes, name="pool")}
        else:
            names = [f"pool-{number:02d}" for number in range(processes)]
            texts = {name: self._program(name=name, process_name="%(program_name)s") for name in names}
        self._supervisord.write(*texts.values())
        return set(texts)

    def _program(self, **values: Any) -> str:
        environment = self._project.environment | {"MESSENGER_POOL": "pool"}
        return self._supervisord.program(self._project.directory, environment, self.arguments, **values)

    def change(self, layout: str, processes: int, *, detach: bool = False) -> dict[str, Any]:
        """What the module says of a change."""
        wanted = self.write(layout, processes)
        result = supervise(self._supervisord, wanted, self._owned, detach=detach)
        self._owned |= wanted
        assert result["processes"] == processes
        return result


def names(processes: list[dict[str, Any]]) -> list[str]:
    """What they are called."""
    return [process["process"] for process in processes]
