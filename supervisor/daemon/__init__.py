"""The manager: the shell around the engine. It turns what happens into events and carries out the effects."""
