"""Check that a git tag or commit was signed by a key that the operator named."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from commands import Problem, run


def is_keyring(signers: Path) -> bool:
    """Whether SIGNERS holds OpenPGP keys, exported with or without --armor; else it is an allowed-signers file."""
    content = signers.read_bytes()
    return content.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----") or content[:1] >= b"\x80"


def with_settings(environment: dict[str, str], settings: dict[str, str]) -> dict[str, str]:
    """Return ENVIRONMENT with git's SETTINGS added; later ones win."""
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    found = environment | {"GIT_CONFIG_COUNT": str(count + len(settings))}
    for number, (name, value) in enumerate(settings.items(), count):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def verifying(signers: Path, home: Path, environment: dict[str, str]) -> dict[str, str]:
    """Return ENVIRONMENT in which git knows the keys in SIGNERS, and no others.

    Args:
        signers: An allowed-signers file of ssh, or exported OpenPGP keys.
        home: An empty directory, for GnuPG.
        environment: What git runs with otherwise.

    Raises:
        Problem: The keys cannot be read.
    """
    keyring = is_keyring(signers)
    settings = {
        "gpg.program": "gpg",
        "gpg.openpgp.program": "gpg",
        "gpg.x509.program": "false",
        "gpg.ssh.program": "ssh-keygen",
        "gpg.ssh.allowedSignersFile": os.devnull if keyring else str(signers),
        "gpg.ssh.revocationFile": "",
        "gpg.minTrustLevel": "undefined",
    }
    found = with_settings(environment, settings) | {"GNUPGHOME": str(home)}
    if keyring:
        run("gpg", "--batch", "--quiet", "--no-autostart", "--import", str(signers), environment=found)
    return found


def check_signature(mirror: Path, name: str, commit: str, signers: str, environment: dict[str, str]) -> None:
    """Check that NAME is a tag with a valid signature, or else that COMMIT has one.

    A signed tag counts only under its own name: a server could show an old signed tag under a new one.

    Args:
        mirror: The bare repository.
        name: The ref that was asked for, or a commit id.
        commit: The commit it leads to.
        signers: File with the keys of which one must have signed.
        environment: What git runs with.

    Raises:
        Problem: There is no signature, or none of these keys made it.
    """
    file = Path(signers).expanduser().resolve()
    if not file.is_file():
        raise Problem(f"There is no file {file} (messenger_app_source_signers)")
    git = ["git", "--git-dir", str(mirror)]
    content = ""
    if name.startswith("refs/tags/") and run(*git, "cat-file", "-t", name, environment=environment) == "tag":
        content = run(*git, "cat-file", "tag", name, environment=environment)
    signed = re.search(r"^-----BEGIN [A-Z ]*(SIGNATURE|SIGNED MESSAGE)-----$", content, re.MULTILINE)
    what, checked = ("tag", name) if signed else ("commit", commit)
    header = content.partition("\n\n")[0].splitlines()
    if signed and f"tag {name.removeprefix('refs/tags/')}" not in header:
        raise Problem(f"{name} holds a tag of another name, so its signature does not count")
    with tempfile.TemporaryDirectory() as home:
        try:
            run(*git, f"verify-{what}", checked, environment=verifying(file, Path(home), environment))
        except Problem as problem:
            raise Problem(
                f"The {what} {name if signed else commit} is not signed by a key in {file}"
                f" (messenger_app_source_signers): {problem}"
            ) from None
