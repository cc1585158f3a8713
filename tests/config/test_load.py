"""Which units a directory makes, from which files, and which of them start at boot."""

import os
from pathlib import Path

import pytest

from supervisor.config import mode, overrides
from supervisor.config.load import load
from supervisor.model.specification import SECOND_US
from tests.config.projects import SERVICE, TASK, complaints, good, loaded, service, write_units

WANTING = '[unit]\nwants = ["{}"]\n' + SERVICE


def enabled(root: Path, files: dict[str, str]) -> set[str]:
    return {name for name, unit in good(root, files).items() if unit.is_enabled}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"web.toml": SERVICE}, {"web"}),
        ({"job.toml": TASK}, set()),
        ({"group.toml": "[target]\n"}, set()),
        ({"job.toml": "[unit]\nenabled = true\n" + TASK}, {"job"}),
        ({"web.toml": "[unit]\nenabled = false\n" + SERVICE}, set()),
        ({"worker@.toml": SERVICE}, set()),
        ({"worker@.toml": "[unit]\ninstances = 2\n" + SERVICE}, {"worker@1", "worker@2"}),
        ({"worker@.toml": '[unit]\ninstances = ["a", 7]\n' + SERVICE}, {"worker@a", "worker@7"}),
        ({"web.toml": '[unit]\non_failure = ["mail"]\n' + SERVICE, "mail.toml": SERVICE}, {"web"}),
        ({"web.toml": WANTING.format("worker@x"), "worker@.toml": SERVICE}, {"web"}),
    ],
)
def test_what_starts_at_boot_by_default(tmp_path: Path, files: dict[str, str], expected: set[str]) -> None:
    assert enabled(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("word", "is_enabled", "state"), [("enabled", True, "enabled"), ("disabled", False, "disabled"), ("masked", False, "masked")]
)
def test_an_override_beats_the_file_and_never_changes_it(tmp_path: Path, word: str, is_enabled: bool, state: str) -> None:
    where = write_units(tmp_path, {"job.toml": TASK})
    overrides.write_enabled(where.state_directory, "job", word)
    job = load(where).units["job"]
    assert (job.is_enabled, job.enabled_state, job.is_masked) == (is_enabled, state, state == "masked")
    overrides.write_enabled(where.state_directory, "job", None)
    assert not load(where).units["job"].is_enabled


def test_scaling_beats_the_templates_own_number(tmp_path: Path) -> None:
    where = write_units(tmp_path, {"worker@.toml": "[unit]\ninstances = 2\n" + SERVICE})
    overrides.write_instances(where.state_directory, "worker", 3)
    assert list(load(where).units) == ["worker@1", "worker@2", "worker@3"]


def test_a_damaged_override_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    where = write_units(tmp_path, {"web.toml": SERVICE})
    Path(where.state_directory, "enabled.json").write_text("{")
    [error] = load(where).errors
    assert "enabled.json" in error.message


def test_a_disabled_unit_is_not_pulled_in_by_wanted_by(tmp_path: Path) -> None:
    text = '[unit]\nwanted_by = ["web"]\n{}' + TASK
    assert good(tmp_path, {"web.toml": SERVICE, "job.toml": text.format("")})["job"].dependencies.wanted_by == ("web",)
    assert good(tmp_path, {"web.toml": SERVICE, "job.toml": text.format("enabled = false\n")})["job"].dependencies.wanted_by == ()


def test_drop_ins_merge_tables_and_replace_everything_else(tmp_path: Path) -> None:
    files = {
        "web.toml": '[service]\nexec_start = "/bin/a"\nenvironment = { A = "1", B = "2" }\nexec_start_pre = "/bin/pre"\n',
        "web.toml.d/10.toml": '[service]\nenvironment = { B = "3" }\nexec_start_pre = []\n',
        "web.toml.d/20.toml": '[service]\nexec_start = "/bin/b"\n',
    }
    result = loaded(tmp_path, files)
    unit = result.units["web"]
    assert unit.service is not None and unit.execution is not None
    assert [command.path for command in unit.service.exec_start] == ["/bin/b"]
    assert unit.service.exec_start_pre == ()
    assert dict(unit.execution.environment) == {"A": "1", "B": "3"}
    assert [os.path.basename(path) for path in unit.drop_in_paths] == ["10.toml", "20.toml"]
    assert result.origin("web", "service.exec_start") == f"{tmp_path}/units/web.toml.d/20.toml:2"
    assert result.origin("web", "service.restart") == "default"


def test_drop_ins_come_from_instance_template_family_and_type_in_the_order_of_their_names(tmp_path: Path) -> None:
    files = {
        "a-b@.toml": '[unit]\ninstances = ["1"]\n' + SERVICE,
        "a-b@1.toml.d/50.toml": '[unit]\ndescription = "instance"\n',
        "a-b@.toml.d/50.toml": '[unit]\ndescription = "template"\n',
        "a-b@.toml.d/40.toml": '[unit]\ndescription = "early"\n',
        "a-.toml.d/60.toml": "[service]\nrestart_sec = 7\n",
        "service.d/70.toml": "[service]\nrestart_sec = 8\n",
    }
    unit = good(tmp_path, files)["a-b@1"]
    assert unit.description == "instance"
    assert unit.service is not None and unit.service.restart_us == 8 * SECOND_US
    assert [os.path.basename(path) for path in unit.drop_in_paths] == ["40.toml", "50.toml", "60.toml", "70.toml"]


def test_the_first_directory_wins_by_name_and_drop_ins_come_from_all(tmp_path: Path) -> None:
    for root, path in (("high", "/bin/high"), ("low", "/bin/low")):
        (tmp_path / root / "web.toml.d").mkdir(parents=True)
        (tmp_path / root / "web.toml").write_text(f'[service]\nexec_start = "{path}"\n')
    (tmp_path / "low" / "web.toml.d" / "10.toml").write_text("[service]\nrestart_sec = 3\n")
    unit = load(mode.project([str(tmp_path / "high"), str(tmp_path / "low")])).units["web"]
    assert unit.service is not None
    assert (unit.service.exec_start[0].path, unit.service.restart_us) == ("/bin/high", 3 * SECOND_US)


def test_a_link_to_dev_null_masks_and_a_requirement_on_it_is_an_error(tmp_path: Path) -> None:
    where = write_units(tmp_path, {"web.toml": '[unit]\nrequires = ["db"]\n' + SERVICE})
    (tmp_path / "units" / "db.toml").symlink_to("/dev/null")
    result = load(where)
    assert result.units["db"].is_masked
    assert [error.message for error in result.errors] == ['"db" is masked, so web cannot start']


def test_includes_lie_underneath_and_an_included_fragment_is_no_unit(tmp_path: Path) -> None:
    files = {
        "base.toml": '[unit]\ndescription = "base"\n[service]\nrestart_sec = 3\nrestart = "always"\n',
        "web.toml": 'include = ["base.toml"]\n[service]\nexec_start = "/bin/true"\nrestart = "no"\n',
    }
    units = good(tmp_path, files)
    assert list(units) == ["web"]
    web = units["web"]
    assert web.service is not None
    assert (web.description, web.service.restart_us, web.service.restart) == ("base", 3 * SECOND_US, "no")


def test_an_alias_by_key_or_link_stands_for_the_unit_in_every_reference(tmp_path: Path) -> None:
    where = write_units(
        tmp_path,
        {
            "db.toml": '[unit]\naliases = ["database"]\n' + SERVICE,
            "web.toml": '[unit]\ndepends_on = ["database"]\nwants = ["sql"]\n' + SERVICE,
        },
    )
    (tmp_path / "units" / "sql.toml").symlink_to("db.toml")
    result = load(where)
    assert result.errors == []
    assert result.units["web"].dependencies.requires == ("db",)
    assert result.units["web"].dependencies.wants == ("db",)
    assert result.aliases == {"database": "db", "sql": "db"}


def test_an_instance_is_made_when_somebody_asks_for_it(tmp_path: Path) -> None:
    result = loaded(tmp_path, {"worker@.toml": '[service]\nexec_start = "/bin/echo %i %I %p %n"\n'})
    assert result.units == {}
    unit = result.instantiate("worker@a-b")
    assert unit is not None and unit.service is not None
    assert unit.service.exec_start[0].argv == ("/bin/echo", "a-b", "a/b", "worker", "worker@a-b")
    assert result.units["worker@a-b"] is unit
    assert result.instantiate("nothing@1") is None


def test_an_instance_made_later_knows_the_aliases_of_the_set_it_joins(tmp_path: Path) -> None:
    files = {"worker@.toml": '[unit]\nafter = ["database"]\n' + SERVICE, "db.toml": '[unit]\naliases = ["database"]\n' + SERVICE}
    unit = loaded(tmp_path, files).instantiate("worker@1")
    assert unit is not None
    assert unit.dependencies.after == ("db",)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"\xef\xbb\xbf" + SERVICE.encode(), ""),
        (SERVICE.replace("\n", "\r\n").encode(), ""),
        (b"[service]\nexec_start = '\xff'\n", "web.toml:2: it is not UTF-8 (the first wrong byte is 0xff)"),
        (b"\x7fELF\0\0", "web.toml:1: it contains a NUL character: this is no text file"),
        (b"#" * (1024 * 1024 + 1), "web.toml: the file has 1048577 bytes and at most 1048576 are read"),
        (b"a = " + b"[" * 5000, "web.toml: brackets are nested too deeply"),
    ],
    ids=["BOM", "CRLF", "not UTF-8", "binary", "huge", "nested"],
)
def test_odd_bytes_are_read_or_explained(tmp_path: Path, raw: bytes, complaint: str) -> None:
    write_units(tmp_path, {})
    (tmp_path / "units" / "web.toml").write_bytes(raw)
    assert complaints(tmp_path, {}) == ([complaint] if complaint else [])


def test_what_is_no_file_is_no_unit(tmp_path: Path) -> None:
    write_units(tmp_path, {})
    os.mkfifo(tmp_path / "units" / "pipe.toml")
    (tmp_path / "units" / "directory.toml").mkdir()
    (tmp_path / "units" / "dangling.toml").symlink_to("gone")
    assert complaints(tmp_path, {}) == [
        "dangling.toml: cannot read the file: No such file or directory",
        "directory.toml: it is not a regular file",
        "pipe.toml: it is not a regular file",
    ]


def test_a_unit_that_is_wrong_is_there_and_says_why(tmp_path: Path) -> None:
    unit = loaded(tmp_path, {"web.toml": "[service]\nrestart = 'x'\nexec_start = '/bin/true'\n"}).units["web"]
    assert unit.is_unusable
    assert "expected one of no, always" in unit.load_error


def test_root_reads_only_what_nobody_else_could_have_written(tmp_path: Path) -> None:
    where = write_units(tmp_path, {"web.toml": SERVICE, "db.toml": SERVICE})
    os.chmod(tmp_path / "units", 0o755)
    os.chmod(tmp_path / "units" / "db.toml", 0o644)
    os.chmod(tmp_path / "units" / "web.toml", 0o666)
    result = load(where, checks_ownership=True)
    assert [(error.file, error.hint) for error in result.errors] == [(str(tmp_path / "units" / "web.toml"), "chmod go-w it")]
    assert not result.units["db"].is_unusable
    os.chmod(tmp_path / "units", 0o777)
    assert load(where, checks_ownership=True).units == {}


def test_a_file_of_another_user_is_refused_when_supd_is_roots(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    where = write_units(tmp_path, {"web.toml": SERVICE})
    os.chown(tmp_path / "units" / "web.toml", 65534, 65534)
    [error] = load(where).errors
    assert "it belongs to uid 65534" in error.message


def test_a_project_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    [error] = load(mode.project([str(tmp_path / "gone")])).errors
    assert error.message == "there is no such unit directory"


def test_a_task_is_a_oneshot_that_counts_attempts(tmp_path: Path) -> None:
    life = service(tmp_path, 'max_attempts = 3\nretry_sec = "2s"\ntimeout_sec = 60', table="task")
    assert (life.type, life.restart, life.max_attempts) == ("oneshot", "on-failure", 3)
    assert (life.restart_us, life.timeout_start_us, life.timeout_stop_us) == (2 * SECOND_US, 60 * SECOND_US, 90 * SECOND_US)
    once = service(tmp_path, "", table="task")
    assert (once.restart, once.max_attempts, once.timeout_start_us) == ("no", 1, None)


def test_defaults_that_follow_from_other_keys(tmp_path: Path) -> None:
    assert service(tmp_path, 'type = "oneshot"').timeout_start_us is None
    assert service(tmp_path, 'type = "notify"').notify_access == "main"
    assert service(tmp_path, "file_descriptor_store_max = 3").notify_access == "main"
    assert service(tmp_path, "timeout_stop_sec = 7").timeout_abort_us == 7 * SECOND_US
    assert service(tmp_path, "timeout_sec = 7\ntimeout_stop_sec = 8").timeout_start_us == 7 * SECOND_US
    assert service(tmp_path, 'exec_start = ["/bin/a", "/bin/b ; /bin/c"]\ntype = "oneshot"').exec_start[2].path == "/bin/c"
