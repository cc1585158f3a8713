"""Users and groups: the names in a unit file become the numbers the keeper gives to the kernel.

Decides who a process is to be, by systemd's rules (`systemd.exec(5)`, CREDENTIALS; the order is exec_child()'s):

- `user` and `group` are names or numbers; both must exist in the user database (217 and 216 otherwise, also for numbers).
- The group is `group`, else the user's own; supplementary groups are the user's by the group database, then `supplementary_groups`.
- Home directory and shell count only if they are usable: absolute, not "/", and no shell that refuses log-in.

Never changes the identity of this process, and never caches: the database may change between two starts. Look-ups may
block (LDAP, sssd), so all of this runs in a worker thread.
"""

import os
from dataclasses import dataclass

from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.specification import Execution

NUMBER_DIGITS_MAX = 10  # of 32 bits
RESERVED_NUMBERS = (0xFFFF, 0xFFFFFFFF)  # "no user" of 16 and of 32 bits; systemd refuses both
SHELLS_WITHOUT_LOGIN = frozenset(
    directory + shell for directory in ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/") for shell in ("nologin", "false", "true")
)


@dataclass(frozen=True, slots=True)
class Account:
    """One user of the user database; `home` and `shell` are empty where they are of no use."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the processes of a unit are. None means: as supd itself.

    `account` is set with `user` only; `groups` are the supplementary groups.
    """

    account: Account | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None

    @property
    def uid(self) -> int | None:
        return self.account.uid if self.account else None

    @property
    def owner(self) -> tuple[int, int]:
        """Who shall own the unit's files, as chown(2) takes it: -1 is "as supd makes them"."""
        return -1 if self.uid is None else self.uid, -1 if self.gid is None else self.gid


def identify(execution: Execution) -> Identity:
    """Look up everything a unit says of users and groups. Raises `PrepareError` with step "USER" or "GROUP"."""
    account = find_user(execution.user) if execution.user else None
    gid = find_group(execution.group, "group") if execution.group else account.gid if account else None
    groups: list[int] = []
    if account is not None and gid is not None:
        groups = os.getgrouplist(account.name, gid)
    for name in execution.supplementary_groups:
        number = find_group(name, "supplementary_groups")
        if number not in groups:
            groups.append(number)
    is_said = account is not None or bool(execution.supplementary_groups)
    return Identity(account, gid, tuple(groups) if is_said else None)


def find_user(text: str) -> Account:
    """The account of a user given by name or number."""
    import pwd

    number = _number(text)
    try:
        entry = pwd.getpwnam(text) if number is None else pwd.getpwuid(number)
    except KeyError:
        raise PrepareError(
            "USER", f'cannot use user "{text}": the user database has no such user. Create it, or correct "user" in the unit.'
        ) from None
    home = entry.pw_dir if entry.pw_dir.startswith("/") and entry.pw_dir.strip("/") else ""
    shell = entry.pw_shell if entry.pw_shell.startswith("/") and entry.pw_shell not in SHELLS_WITHOUT_LOGIN else ""
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, home, shell)


def find_group(text: str, key: str) -> int:
    """The number of a group given by name or number; `key` is the setting that named it, for the error."""
    import grp

    number = _number(text)
    try:
        return grp.getgrnam(text).gr_gid if number is None else grp.getgrgid(number).gr_gid
    except KeyError:
        raise PrepareError(
            "GROUP", f'cannot use group "{text}": the group database has no such group. Create it, or correct "{key}" in the unit.'
        ) from None


def own_home(uid: int) -> str:
    """The home directory behind "~" where a unit has no `user`: root's is /root, another's is in the user database ("" if not)."""
    import pwd

    if uid == 0:
        return "/root"
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def describe_user(uid: int) -> str:
    """ "uid 1000 (ann)", or the number alone where the database knows no name."""
    import pwd

    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"


def _number(text: str) -> int | None:
    """The user or group number a text stands for, None if it is a name (parse_uid() of systemd: plain decimal, no sign)."""
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        return None
    number = int(text)
    if number in RESERVED_NUMBERS or number > RESERVED_NUMBERS[-1]:
        return None
    return number
