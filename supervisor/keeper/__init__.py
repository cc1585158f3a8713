"""The tiny parent of every process: it spawns, reaps and holds descriptors. It has no policy."""
