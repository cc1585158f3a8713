"""/openapi.json: the description of the API, made from the table of routes and nothing else (OpenAPI 3.1)."""

from typing import Any

from supervisor.daemon.api import answers
from supervisor.daemon.api import schema as js
from supervisor.daemon.api.routes import BYTES, Route, Table


def document(table: Table, version: str) -> dict[str, Any]:
    """The whole document; every route of the table stands in it once."""
    paths: dict[str, dict[str, Any]] = {}
    for route in table.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "supd control API", "version": version},
        "servers": [{"url": "http://supd", "description": "the control socket: curl --unix-socket supd.sock http://supd/v1/status"}],
        "paths": paths,
        "components": {"schemas": {"Error": answers.ERROR}},
    }


def _operation(route: Route) -> dict[str, Any]:
    content_type, schema = ("application/json", route.answer) if isinstance(route.answer, dict) else (route.answer, js.STRING)
    contents = {content_type: {"schema": schema}, **({BYTES: {}} if route.or_bytes else {})}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "x-access": route.access,
        "responses": {
            "200": {"description": "done", "content": contents},
            "default": {
                "description": "not done, and why",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    pieces = [piece[1:-1] for piece in route.path.split("/") if piece.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": js.STRING} for name in pieces]
    parameters += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in route.query.items()]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        is_needed = bool(route.body.get("required"))
        operation["requestBody"] = {"required": is_needed, "content": {"application/json": {"schema": route.body}}}
    return operation


def _operation_id(route: Route) -> str:
    words = [piece for piece in route.path.removeprefix("/v1").split("/") if piece and not piece.startswith("{")]
    return "_".join([route.method.lower(), *words]).replace("-", "_").replace(".", "_") + ("_one" if route.path.endswith("}") else "")
