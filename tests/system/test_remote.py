"""`supctl -H HOST` by OpenSSH itself: a server of our own on loopback, with keys of its own, and the person's ssh_config in between."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from supervisor.client.forward import Forward
from supervisor.tui.link.http import HttpTransport
from supervisor.tui.link.protocol import ALIVE, LinkLost
from tests.system.conftest import StartSupd
from tests.system.sshd import Sshd
from tests.system.supd import Supd
from tests.system.users import PROGRAMS

DEADLINE_S = 30.0

UNITS = {"sleeper": '[service]\nexec_start = "sleep 1000"\n'}


@pytest.fixture
def supd(start_supd: StartSupd) -> Supd:
    return start_supd(UNITS)


@pytest.fixture
def sshd(supd: Supd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="sshd-", dir="/tmp") as directory:
        server = Sshd(directory, {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "SUPD_SOCKET": supd.socket_path})
        monkeypatch.setenv("PATH", server.path)
        server.start()
        yield server
        server.stop()


def test_a_verb_is_carried_out_on_the_other_host(supd: Supd, sshd: Sshd) -> None:
    def there(*words: str) -> "subprocess.CompletedProcess[str]":
        return supd.run("supctl", "-H", "other", *words, PATH=sshd.path)

    assert (there("is-active", "sleeper").stdout, there("is-active", "sleeper").returncode) == ("active\n", 0)
    assert there("stop", "sleeper").returncode == 0
    assert there("is-active", "sleeper").returncode == 3
    assert there("status", "sl;reboot").returncode == 4


def test_the_screens_questions_go_over_the_forwarded_socket(supd: Supd, sshd: Sshd) -> None:
    async def story() -> None:
        there = Forward("other", retry_after_s=0.0)
        transport = HttpTransport(there.place, "other", there.ensure)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await there.ensure(may_ask=True)
                assert there.remote_socket == supd.socket_path
                assert (await transport.hello())["manager_pid"] == supd.get("/v1/version")["manager_pid"]
                assert transport.log_directory("sleeper") == ""
                stream = transport.events(None)
                assert (await anext(stream))["kind"] == ALIVE
                assert (await transport.act("stop", "sleeper"))["result"] == "done"
                while (await anext(stream)).get("unit") != "sleeper":
                    pass

                sshd.stop()
                with pytest.raises(LinkLost):
                    while True:
                        await anext(stream)
                assert there._ssh is not None
                await asyncio.to_thread(there._ssh.wait)
                with pytest.raises(LinkLost, match=r"cannot reach other by ssh: .*Connection refused"):
                    await transport.hello()
                sshd.start()
                assert [unit["active_state"] for unit in await transport.units(["sleeper"])] == ["inactive"]
        finally:
            there.close()
        assert not os.path.exists(os.path.dirname(there.place.path))

    asyncio.run(story())
