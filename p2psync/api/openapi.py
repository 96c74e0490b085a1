"""The description of the HTTP interface for programs, made from the table of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from p2psync import __version__
from p2psync.api.table import Argument, Form, Operation

SCHEMAS: dict[Form, dict[str, Any]] = {
    Form.TEXT: {"type": "string"},
    Form.TEXTS: {"type": "array", "items": {"type": "string"}},
    Form.FLAG: {"type": "boolean"},
    Form.COUNT: {"type": "integer", "minimum": 0},
    Form.SECONDS: {"type": "number", "minimum": 0},
}
ANSWERS: dict[str, Any] = {
    "200": {
        "description": "Done, or done in part: the header P2psync-Exit has the exit code of the command.",
        "headers": {"P2psync-Exit": {"schema": {"type": "integer", "enum": [0, 1, 3, 5]}}},
        "content": {"application/json": {}},
    },
    "default": {
        "description": "Not done.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    },
}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error", "exit"],
    "properties": {
        "error": {"type": "string", "description": "What happened, to what, and what to do next."},
        "exit": {"type": "integer", "description": "The exit code of the command."},
    },
}


def document(operations: Sequence[Operation], address: str) -> dict[str, Any]:
    """OpenAPI 3.1; `address` is where this daemon listens, as `http://127.0.0.1:4711`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "p2psync", "version": __version__, "description": "One device, over loopback."},
        "servers": [{"url": address}],
        "security": [{"token": []}],
        "paths": {one.path: _path(one) for one in operations} | _fixed_paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
    }


def _path(operation: Operation) -> dict[str, Any]:
    post = {
        "operationId": operation.name,
        "summary": operation.summary,
        "requestBody": {"content": {"application/json": {"schema": _body(operation.arguments)}}},
        "responses": ANSWERS,
    }
    if not operation.reads:
        return {"post": post}
    get = {
        "operationId": f"{operation.name}.get",
        "summary": operation.summary,
        "parameters": [_parameter(one) for one in operation.arguments],
        "responses": ANSWERS,
    }
    return {"get": get, "post": post}


def _body(arguments: Sequence[Argument]) -> dict[str, Any]:
    body: dict[str, Any] = {"type": "object", "additionalProperties": False}
    if arguments:
        body["properties"] = {one.name: SCHEMAS[one.form] for one in arguments}
    required = [one.name for one in arguments if one.required]
    return {**body, "required": required} if required else body


def _parameter(one: Argument) -> dict[str, Any]:
    parameter = {"name": one.name, "in": "query", "required": one.required, "schema": SCHEMAS[one.form]}
    if one.form is Form.TEXTS:
        return {**parameter, "style": "form", "explode": False}
    return parameter


def _fixed_paths() -> dict[str, Any]:
    def get(name: str, summary: str, kind: str) -> dict[str, Any]:
        ok = {"description": summary, "content": {kind: {}}}
        return {"get": {"operationId": name, "summary": summary, "responses": {"200": ok}}}

    return {
        "/api/events": get("events", "What happens, as it happens.", "text/event-stream"),
        "/api/openapi.json": get("openapi", "This description.", "application/json"),
        "/metrics": get("metrics", "Numbers for Prometheus.", "text/plain"),
    }
