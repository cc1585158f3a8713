"""The control API: HTTP/1.1 over the control socket, a table of routes, h11 over asyncio streams."""
