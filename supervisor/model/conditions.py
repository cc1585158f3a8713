"""The names of the conditions a unit may set: `condition_X` and `assert_X` for each X here (`systemd.unit(5)`, CONDITIONS AND ASSERTS).

Names only. What each of them means is decided in `daemon.conditions`, where a test holds its table to this list.
"""

# Their argument is a path, which must be absolute (relative ones are taken from the mode's directory in project mode).
PATH_KINDS = (
    "path_exists",
    "path_exists_glob",
    "path_is_directory",
    "path_is_symbolic_link",
    "path_is_mount_point",
    "path_is_read_write",
    "directory_not_empty",
    "file_not_empty",
    "file_is_executable",
)

KINDS = (
    *PATH_KINDS,
    "environment",
    "host",
    "user",
    "group",
    "memory",
    "cpus",
    "kernel_version",
    "kernel_command_line",
    "virtualization",
    "architecture",
    "ac_power",
)
