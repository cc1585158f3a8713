"""supd: a process supervisor with systemd's semantics, one TOML file per unit."""

__version__ = "0.1.0"
