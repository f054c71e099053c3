"""Who may log in: a file with a line a user, `name:verifier`, from which no password can be read back.

The verifier is SCRAM-SHA-256's (RFC 5803), in the form in which PostgreSQL stores it, so that one file serves doors
that are told the password and doors that are only proved it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from penstock.errors import EnvironmentProblem, InvalidRequestError

_ITERATIONS = 65_536
_LINE = re.compile(r"([^:\s]+):(SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+)")


def load_users(file: Path) -> dict[str, str]:
    """The verifier of each user.

    Raises:
        EnvironmentProblem: when the file is missing, has no user, or has a line of another form.
    """
    fix = f"penstock add-user NAME --users {file}"
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise EnvironmentProblem(f"the users cannot be read: {error.strerror}", where=str(file), fix=fix) from None
    users = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            found = _LINE.fullmatch(line.strip())
            if not found:
                raise EnvironmentProblem("this line is no user", where=f"{file}:{number}", fix=fix)
            users[found[1]] = found[2]
    if not users:
        raise EnvironmentProblem("the file names no user", where=str(file), fix=fix)
    return users


def set_user(file: Path, name: str, password: str) -> None:
    """Add a user to the file, or give a known one another password; the file is replaced at once and is its owner's.

    Raises:
        InvalidRequestError: when the name or the password cannot be one.
        EnvironmentProblem: when the file has a line of another form.
    """
    if not re.fullmatch(r"[^:\s]+", name):
        raise InvalidRequestError(f"'{name}' cannot be a user's name", fix="use a name without spaces and colons")
    if not password:
        raise InvalidRequestError("an empty password lets everybody in", where=f"user {name}", fix="choose another")
    users = load_users(file) if file.exists() else {}
    users[name] = _verifier(password, secrets.token_bytes(16))
    new = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.writelines(f"{each}:{verifier}\n" for each, verifier in users.items())
    new.replace(file)


def is_right(file: Path, name: str, password: str) -> bool:
    """Whether this is the user's password; an unknown user takes as long as a wrong password."""
    known = load_users(file)
    verifier = known.get(name) or next(iter(known.values()))
    iterations, salt = re.split(r"[$:]", verifier)[1:3]
    right = hmac.compare_digest(_verifier(password, base64.b64decode(salt), int(iterations)), verifier)
    return right and name in known


def _verifier(password: str, salt: bytes, iterations: int = _ITERATIONS) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"
