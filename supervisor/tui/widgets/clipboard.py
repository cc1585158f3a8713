"""Bytes to the clipboard of the terminal a person sits at, through ssh and tmux, by OSC 52: the very bytes, no text made of them."""

from base64 import b64encode

from textual.app import App

# xterm, foot and others drop what is longer; so nothing would be copied at all, without a word.
LIMIT_BYTES = 74_994


def copy(app: App[None], raw: bytes) -> bool:
    """Whether they were sent; False when they are more than terminals take."""
    if len(raw) > LIMIT_BYTES:
        return False
    try:
        app.copy_to_clipboard(raw.decode())
    except UnicodeDecodeError:
        driver = app._driver  # Textual copies text only
        if driver is not None:
            driver.write(f"\x1b]52;c;{b64encode(raw).decode()}\a")
    return True
