"""Passwords of cameras never reach a log, a reason or a picture."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)\S+@")
_PARAMETER = re.compile(r"(?i)\b((?:user|username|usr|pass|passwd|password|pwd|token|key|auth)=)[^&\s|\"']+")


def redact(text: str) -> str:
    """Return ``text`` with user names and passwords in URLs replaced by ``***``."""
    return _PARAMETER.sub(r"\1***", _USERINFO.sub("***@", text))
