"""A benchmark of process supervisors that knows none of them but by their adapters."""
