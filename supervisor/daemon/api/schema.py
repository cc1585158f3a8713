"""The small part of JSON Schema that requests and answers use, and the check of a value against it.

One description serves three ends: a request is checked by it, /openapi.json prints it, and the tests hold every answer to it.
Known words: type (one or a list), properties, required, additionalProperties, items, enum, minimum, maximum, maxLength, description.
The check never raises for any JSON value; it returns whole phrases that name the place.
"""

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
ANY: Schema = {}
STRINGS: Schema = {"type": "array", "items": STRING}

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def nullable(schema: Schema) -> Schema:
    """The same schema, but null is allowed too."""
    return {**schema, "type": [schema["type"], "null"]}


def described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text}


def array_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, is_open: bool = True) -> Schema:
    """An object with these properties; `is_open`: others may be added without breaking a client."""
    schema: Schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}
    if not is_open:
        schema["additionalProperties"] = False
    return schema


def problems(schema: Schema, value: object, place: str = "the body") -> list[str]:
    """What is wrong with `value`, one phrase each; empty when it fits."""
    allowed = schema.get("type")
    if allowed is not None:
        names = [allowed] if isinstance(allowed, str) else list(allowed)
        if not any(_is(value, name) for name in names):
            return [f"{place}: expected {' or '.join(names)}, got {_kind(value)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: expected one of {', '.join(map(str, schema['enum']))}, got {str(value)[:60]!r}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            found.append(f"{place}: must be at least {schema['minimum']}")
        if "maximum" in schema and value > schema["maximum"]:
            found.append(f"{place}: must be at most {schema['maximum']}")
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        found.append(f"{place}: longer than {schema['maxLength']} characters")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += problems(schema["items"], item, f"{place}[{index}]")
    if isinstance(value, dict):
        found += _problems_of_object(schema, value, place)
    return found


def _problems_of_object(schema: Schema, value: dict[str, Any], place: str) -> list[str]:
    found = [f'{place}: "{name}" is missing' for name in schema.get("required", ()) if name not in value]
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, item in value.items():
        if name in known or isinstance(others, dict):
            found += problems(known.get(name, others), item, name if place == "the body" else f"{place}.{name}")
        elif others is False:
            expected = f"known are {', '.join(known)}" if known else "none is expected here"
            found.append(f"{place}: unknown key {name[:60]!r}; {expected}")
    return found


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool) and name != "boolean":
        return False  # Python's bool is an int, JSON's is not
    return isinstance(value, _TYPES[name])


def _kind(value: object) -> str:
    for name in ("null", "boolean", "integer", "number", "string", "array", "object"):
        if _is(value, name):
            return name
    return type(value).__name__


def from_query(schema: Schema, texts: list[str]) -> Any:
    """A query parameter's value: text turned into what its schema says; text that does not fit stays text, for `problems` to name."""
    if schema.get("type") == "array":
        return [from_query(schema["items"], [text]) for text in texts]
    text = texts[-1]
    if schema.get("type") == "integer" and len(text) < 19 and text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    if schema.get("type") == "boolean":
        return {"true": True, "1": True, "yes": True, "": True, "false": False, "0": False, "no": False}.get(text, text)
    return text
