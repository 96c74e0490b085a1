"""The description holds every operation with its arguments, and nothing that is not there."""

from __future__ import annotations

import json

from p2psync.api.openapi import SCHEMAS, document
from p2psync.api.table import Form, operations


def test_every_operation_is_described() -> None:
    paths = document(operations(), "http://127.0.0.1:1")["paths"]
    for one in operations():
        described = paths[one.path]
        assert described["post"]["operationId"] == one.name
        assert ("get" in described) is one.reads
        schema = described["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema.get("properties", {})) == {argument.name for argument in one.arguments}
        assert set(schema.get("required", [])) == {argument.name for argument in one.arguments if argument.required}


def test_what_is_no_operation_is_described_too() -> None:
    paths = document(operations(), "http://127.0.0.1:1")["paths"]
    assert {"/api/events", "/api/openapi.json", "/metrics"} <= set(paths)


def test_each_form_has_its_schema() -> None:
    assert set(SCHEMAS) == set(Form)


def test_names_are_unique_and_the_whole_is_json() -> None:
    whole = document(operations(), "http://127.0.0.1:1")
    names = [act["operationId"] for path in whole["paths"].values() for act in path.values()]
    assert len(names) == len(set(names))
    assert json.loads(json.dumps(whole)) == whole
