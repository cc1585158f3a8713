"""PostgreSQL: notifies, refuses root, is many processes, and refuses to start while one of a former run is left."""

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons.life import Daemon, copied, is_started_again_after_kill, stops_without_a_trace

pytestmark = pytest.mark.usefixtures("as_root")


def _programs() -> str:
    """The newest installed version's directory of programs; Debian keeps them out of PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    assert found, "PostgreSQL is not installed (tests/system/apt.txt)"
    return found[-1]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A data directory made once and copied for each test; not below pytest's own, which no other user may enter."""
    directory = tempfile.mkdtemp(prefix="supd-cluster-", dir="/tmp")
    shutil.chown(directory, "postgres")
    subprocess.run(
        [f"{_programs()}/initdb", "--no-sync", "--auth=trust", "--username=postgres", "--pgdata=."],
        cwd=directory,
        user="postgres",
        group="postgres",
        extra_groups=[],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def postgres(make_supd: StartSupd, cluster: str) -> Daemon:
    daemon = Daemon(make_supd, "postgres", user="postgres", BIN=_programs())
    copied(cluster, os.path.join(daemon.directory, "data"), "postgres")
    daemon.configure("postgres.conf", into="run/data/postgresql.conf")
    return daemon


def _sql(daemon: Daemon, statement: str) -> str:
    done = subprocess.run(
        ["psql", "-h", daemon.directory, "-p", str(daemon.port), "-U", "postgres", "-d", "postgres", "-Atqc", statement],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_postgres_answers_as_soon_as_it_has_notified(postgres: Daemon) -> None:
    postgres.start()
    assert _sql(postgres, "select 6 * 7") == "42"


def test_postgres_reloads_its_configuration_and_keeps_its_process(postgres: Daemon) -> None:
    before = postgres.start()
    assert _sql(postgres, "show work_mem") == "4MB"
    postgres.configure("postgres.conf", "work_mem = '4MB'", "work_mem = '8MB'", into="run/data/postgresql.conf")
    postgres.supd.supctl("reload", "postgres")
    postgres.supd.wait_for_line("postgres", 'parameter "work_mem" changed to "8MB"')
    assert _sql(postgres, "show work_mem") == "8MB"
    assert postgres.supd.show("postgres")["main_pid"] == before["main_pid"]


def test_postgres_killed_comes_back_with_what_was_committed(postgres: Daemon) -> None:
    before = postgres.start()
    _sql(postgres, "create table greeting as select 'hello' as text")
    is_started_again_after_kill(postgres, before)
    assert _sql(postgres, "select text from greeting") == "hello"


def test_postgres_stopped_leaves_no_process(postgres: Daemon) -> None:
    postgres.start()
    stops_without_a_trace(postgres)
    assert not os.path.exists(os.path.join(postgres.directory, "data", "postmaster.pid")), "it was not shut down in order"
