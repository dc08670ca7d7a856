"""Filters that check what an inventory says for Redis, and tell what is recorded of it on the host."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.host_record import differences

EXAMPLE_PASSWORD = "replace-this-example"
SHORTEST_PASSWORD = 16
# Only their hashes are recorded, so a difference is named without the values.
SECRETS = ("redis_password", "redis_replication_password", "redis_tls_certificate")
GENERATE = "python3 -c 'import secrets; print(secrets.token_urlsafe(36))'"


class Settings:
    """The variables of the role redis on one host, as the roles' vars hand them over.

    Args:
        given: Name of a variable without `redis_` -> its value; beside them `host` and `hosts`, its name and those of
            group `redis`, and `first_address`, that of the first master. The passwords are those that will be used.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = {name: str(value) if isinstance(value, (int, float)) else value for name, value in given.items()}
        self.port, self.tls_port = int(given["port"]), int(given["tls_port"])
        self.users = [dict(user) for user in given["users"]]
        self.names = [str(user["name"]) for user in self.users]
        self.replicated = bool(given["replica_of"])
        self.makes_certificate = bool(self.tls_port and not given["tls_certificate"])

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    @property
    def key_names(self) -> list[str]:
        """The names that keys of the application begin with: streams, then applications."""
        streams = [str(stream) for user in self.users for stream in user.get("streams", ["messages"])]
        return streams + [str(user.get("application", "messenger")) for user in self.users]

    @property
    def user_passwords(self) -> list[str]:
        """Passwords that the inventory gives to users."""
        found = [user.get(key, "") for key in ("password", "second_password") for user in self.users]
        return [str(password) for password in found if password]

    @property
    def shared(self) -> dict[str, Any]:
        """What the applications on one Redis must agree on."""
        return {
            "redis_bind": " ".join(self["bind"]),
            "redis_port": self.port,
            "redis_tls_port": self.tls_port,
            "redis_tls_names": " ".join(sorted(self["tls_names"])) if self.makes_certificate else "",
            "redis_appendfsync": self["appendfsync"],
            "redis_maxmemory": self["maxmemory"],
            "redis_replica_of": self["first_address"] if self.replicated else "",
            "redis_sentinel_name": self["sentinel_name"],
            "redis_password": _digest(self["password"]),
            "redis_replication_password": _digest(self["replication_password"]) if self.replicated else "",
            "redis_tls_certificate": _digest(self["tls_certificate"].strip()),
        }


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""


def is_loopback(bind: Sequence[str]) -> bool:
    """Return whether all addresses that Redis listens on are of this host alone.

    Args:
        bind: The addresses; a leading `-` marks an optional one.
    """
    return bool(bind) and all(re.match(r"127[.]|::1$|localhost$", address.removeprefix("-")) for address in bind)


def addresses(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> list[str]:
    """Return how the other servers and the workers reach these hosts: `redis_address`, else the inventory's address.

    Args:
        hosts: Names of hosts of the inventory.
        hostvars: Their variables, as the inventory has them; the role's defaults are not among them.
    """
    return [_address(host, hostvars[host]) for host in hosts]


def _address(host: str, variables: Mapping[str, Any]) -> str:
    return next((str(variables[name]) for name in ("redis_address", "ansible_host") if name in variables), host)


def needs(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is recorded on the host of an application's use of Redis.

    Args:
        given: The variables, as Settings takes them.

    Returns:
        `application`; `users` and `keys`, the names that are its own; `settings`, what all applications agree on.
    """
    settings = Settings(given)
    keys = list(dict.fromkeys(settings.key_names)) if settings.users else []
    return {"application": settings["application"], "users": settings.names, "keys": keys, "settings": settings.shared}


def problems(given: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = (), *, replace: bool = False) -> list[str]:
    """Return why Redis cannot be set up as the inventory says, a sentence or two for each reason.

    Args:
        given: The variables, as Settings takes them.
        others: What other applications on the host recorded.
        replace: Whether settings on which they do not agree are changed nevertheless.
    """
    settings = Settings(given)
    found = [
        *_address_problems(settings),
        *_certificate_problems(settings),
        *_password_problems(settings),
        *_user_problems(settings, others),
        *_replica_problems(settings),
    ]
    return found if replace else found + list(_disagreement(settings, others))


def _address_problems(settings: Settings) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", settings["application"]):
        yield (
            f"redis_application is {settings['application']}; it is a name of lower-case letters, digits, - and _, "
            "that of messenger_app_name."
        )
    if not settings["bind"]:
        yield "redis_bind is empty, which would make Redis listen everywhere. Name the addresses to listen on."
    if settings.port == settings.tls_port:
        yield (
            f"redis_port and redis_tls_port are both {settings.port}. Redis needs one port at least, and two different "
            "ones for plain connections and TLS."
        )


def _certificate_problems(settings: Settings) -> Iterator[str]:
    texts = [settings[name] for name in ("tls_certificate", "tls_key", "tls_ca")]
    if bool(texts[0]) != bool(texts[1]) or any(text and not text.startswith("-----BEGIN ") for text in texts):
        yield (
            "redis_tls_certificate and redis_tls_key belong together, and these and redis_tls_ca are the text of PEM "
            "files (-----BEGIN …), not their names; lookup('ansible.builtin.file', 'redis1.pem') reads one."
        )


def _password_problems(settings: Settings) -> Iterator[str]:
    password = settings["password"]
    if settings["bind"] and not is_loopback(settings["bind"]) and len(password) < SHORTEST_PASSWORD:
        yield (
            f"Redis on {settings['host']} would listen on {', '.join(settings['bind'])}, beyond loopback, with a "
            f"password shorter than {SHORTEST_PASSWORD} characters. Set a longer redis_password ({GENERATE}), or leave "
            "it empty to have one generated."
        )
    if not re.fullmatch(r"[]!#-&(-[^-~]*", password):
        yield (
            "redis_password contains a space, a quote, a backslash or a character beyond ASCII; redis.conf cannot "
            "hold it."
        )
    if any(EXAMPLE_PASSWORD in each for each in (password, *settings.user_passwords)):
        yield (
            "A password of Redis is one from inventory/example, which everyone can read. Write your own into "
            "group_vars/all/vault.yml (ansible-vault create)."
        )
    if any(len(each) < SHORTEST_PASSWORD or re.search(r"[\x00-\x1f\x7f]", each) for each in settings.user_passwords):
        yield (
            f"A password in redis_users is shorter than {SHORTEST_PASSWORD} characters or has a control character such "
            f"as a line break. Write another ({GENERATE}), or none to have one generated."
        )


def _user_problems(settings: Settings, others: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names, keys = settings.names, settings.key_names
    fit = all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) for name in names)
    if not fit or len(set(names)) < len(names) or "default" in names or not all(map(_is_key_name, keys)):
        yield (
            "redis_users is wrong: names begin with a letter and have letters, digits, - and _, each is there once, "
            "and none is `default`, which is the administrator; names of streams and applications have letters, digits "
            f"and _.:{{}}-. Names given: {', '.join(names)}; streams and applications: {', '.join(keys)}."
        )
    taken = [name for name in names if any(name in other["users"] for other in others)]
    if taken:
        yield (
            f"On {settings['host']} these users of Redis are those of another application: {', '.join(taken)} "
            f"({', '.join(other['application'] for other in others)}). Give the users in redis_users other names; or, "
            "if that application is this one under its old name, remove it first (remove.yml with the old "
            "messenger_app_name)."
        )


def _is_key_name(name: str) -> bool:
    return re.fullmatch(r"[][A-Za-z0-9_.:{}-]+", name) is not None


def _replica_problems(settings: Settings) -> Iterator[str]:
    first, name, hosts = settings["replica_of"], settings["sentinel_name"], settings["hosts"]
    if not first and not name:
        return
    fit = (
        (not first or first in hosts)
        and re.fullmatch(r"[A-Za-z0-9._-]*", name)
        and (not name or (first and len(hosts) >= 3))
        and int(settings["sentinel_quorum"]) <= len(hosts)
        and not (first and is_loopback(settings["bind"]))
        and (not settings["tls_certificate"] or not settings.tls_port or settings["tls_ca"])
        and re.fullmatch(rf"([A-Za-z0-9._-]{{{SHORTEST_PASSWORD},}})?", settings["replication_password"])
    )
    if not fit:
        yield (
            f"Redis on {settings['host']} cannot have replicas like this. redis_replica_of ({first or 'empty'}) must "
            "be a host of group redis, the first master. Sentinel (redis_sentinel_name) needs that, and three hosts in "
            "the group, of which redis_sentinel_quorum are enough. redis_bind must have an address that the others "
            "reach. redis_tls_certificate needs redis_tls_ca, by which they know each other. "
            f"redis_replication_password has {SHORTEST_PASSWORD} or more letters, digits and ._-"
        )


def _disagreement(settings: Settings, others: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found = differences(settings.shared, others, SECRETS)
    if found:
        yield (
            f"Other applications use the Redis on {settings['host']}, and this inventory would change it for them: "
            f"{'; '.join(found)}. Write the same into both inventories, or say -e redis_replace_settings=true; then "
            "the other one's next site.yml is refused until it says the same. Nothing was changed."
        )


class FilterModule:
    """The filters `redis_needs`, `redis_problems`, `redis_host_addresses` and `redis_loopback`."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {
            "redis_needs": needs,
            "redis_problems": problems,
            "redis_host_addresses": addresses,
            "redis_loopback": is_loopback,
        }
