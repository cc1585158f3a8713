"""The control API, the client and supctl, against an in-memory world behind a real server on a real socket."""
