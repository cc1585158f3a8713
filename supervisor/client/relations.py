"""Which relations make a tree: those by which a unit pulls others in or hangs on them, and the same from the other end."""

FORWARD = ("requires", "requisite", "wants", "binds_to", "upholds", "part_of")
BACKWARD = ("required_by", "requisite_of", "wanted_by", "bound_by", "upheld_by", "consists_of")
