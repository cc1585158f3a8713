"""Containers that show nothing of their own, neither border nor text: Textual need not make lines for what lies behind others."""

from textual.containers import Horizontal, Vertical


class Stacked(Vertical):
    """One below the other."""

    BLANK = True


class Abreast(Horizontal):
    """One beside the other."""

    BLANK = True
