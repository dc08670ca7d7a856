"""Options that several modules have: where the application is, and whose."""

from __future__ import annotations


class ModuleDocFragment:
    """`messenger.kit.application` and `messenger.kit.application.user`."""

    DOCUMENTATION = r"""
options:
  root: {description: The application's directory., type: path, required: true}
"""

    USER = r"""
options:
  user: {description: "The application's user.", type: str, required: true}
"""
