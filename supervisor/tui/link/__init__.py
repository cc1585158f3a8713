"""The way from the screens to a supd: what may be asked, how it is asked, and the session that keeps the picture true."""
