"""`supctl -H HOST VERB`: what the supctl of the other host is told is what was read here, word for word, whatever stands in the words."""

import os
import shlex
import subprocess
import sys

import pytest

from supervisor.cli.arguments import read, words

LINES = [
    "-H web-01 start web db --no-block",
    "logs --host web-01 -fn20 web --since=-5min",
    "-H web-01 list --state=failed,active --state dead",
    "-H web-01 --socket /srv/shop/.supd/supd.sock show -p id,kind web --value",
    "kill -H web-01 -s HUP -- -web",
    "-H web-01 scale worker 8 --json",
    "-H web-01 daemon-reload",
    "-H web-01 status -n 3",
]


@pytest.mark.parametrize("line", LINES)
def test_the_line_is_said_as_it_was_read(line: str) -> None:
    said = read(line.split())
    heard = read(words(said, without=("host",)))
    expected = dict(said.options)
    assert expected.pop("host") == "web-01"
    assert (heard.verb, heard.operands, heard.options) == (said.verb, said.operands, expected)


def ran(directory: str, *argv: str) -> "subprocess.CompletedProcess[str]":
    """supctl with an `ssh` on PATH that prints its arguments, one a line, and leaves with status 3."""
    program = os.path.join(directory, "ssh")
    with open(program, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    os.chmod(program, 0o755)
    supctl = os.path.join(os.path.dirname(sys.executable), "supctl")
    return subprocess.run(
        [supctl, *argv], env={"PATH": f"{directory}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60, check=False
    )


def test_words_reach_the_other_shell_quoted_and_its_status_is_ours(tmp_path: object) -> None:
    done = ran(str(tmp_path), "-H", "me@web-01", "logs", "-g", "it's $(reboot)", "web;ls")
    first, host, command = done.stdout.splitlines()
    assert (first, host, done.returncode) == ("--", "me@web-01", 3)
    assert shlex.split(command) == ["supctl", "logs", "--grep=it's $(reboot)", "--", "web;ls"]


@pytest.mark.parametrize("host", ["", "-oProxyCommand=reboot"])
def test_a_host_is_never_an_option_of_ssh(tmp_path: object, host: str) -> None:
    done = ran(str(tmp_path), f"--host={host}", "status")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"supctl: -H needs the name of a host, not {host!r}\n"


def test_without_ssh_it_says_what_is_missing(tmp_path: object) -> None:
    supctl = os.path.join(os.path.dirname(sys.executable), "supctl")
    done = subprocess.run(
        [supctl, "-H", "web-01", "status"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 69
    assert done.stderr == "supctl: cannot reach web-01: there is no ssh here; install the OpenSSH client\n"
