"""What the screens show, as plain values and pure functions: no textual, no asyncio, no sockets."""
