"""The reasons of a `why`, as a person wants to read them: each once, nearest first."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]


def digest(causes: "list[Json]") -> "list[tuple[Json, int]]":
    """Each reason once, nearest first, with how often it was recorded. What a nearer reason says already is left out."""
    kept: list[Json] = []
    counts: list[int] = []
    for cause in causes:
        text = str(cause["text"])
        core = text.rpartition(": ")[2] if cause["what"] == "job" and text.count(": ") > 1 else text  # "the start job ended: failed: WHY"
        same = [index for index, other in enumerate(kept) if other["unit"] == cause["unit"] and core in str(other["text"])]
        if not same:
            kept.append(cause)
            counts.append(1)
        elif text == kept[same[0]]["text"]:
            counts[same[0]] += 1
    return list(zip(kept, counts, strict=True))


def sentence(cause: "Json", unit: str) -> str:
    """One reason of a unit in words. The text of a dependency is about the unit that has it, and names the other one itself."""
    is_foreign = cause["unit"] not in ("", unit) and cause["what"] != "dependency"
    return f"{cause['unit']}: {cause['text']}" if is_foreign else str(cause["text"])
