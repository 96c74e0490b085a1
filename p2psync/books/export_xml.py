"""The master export as XML; `export` has the fields, docs/master-export.md an example.

::

    <master-export version="1">
      <accounts>
        <account number="1000" type="A" cash="true">
          <name lang="fr">Caisse</name>
        </account>
      </accounts>
      <cost-centres/> <cost-objects/> <payment-terms/>
    </master-export>
"""

from __future__ import annotations

from p2psync.books.export import EXPORT_BYTES_MAX, NAME, RECORDS_MAX, Builder, Export, RecordKind
from p2psync.books.finding import Collector, Trouble
from p2psync.books.safe_xml import Element, read_xml
from p2psync.errors import CodecError

ROOT = "master-export"
VERSION = "1"
LISTS = {f"{kind}s": kind for kind in RecordKind}


def read_xml_export(data: bytes) -> Export:
    """Take an XML export apart. Raises CodecError if it is none, or could do harm."""
    root = read_xml(data, EXPORT_BYTES_MAX)
    if root.name != ROOT or root.attributes.get("version") != VERSION:
        raise CodecError("""A master export begins with <master-export version="1">; this file does not.""")
    if sum(len(one.children) for one in root.children) > RECORDS_MAX:
        raise CodecError("A master export has at most {limit} records; this one has more.", limit=RECORDS_MAX)
    collector = Collector()
    builder = Builder(collector)
    _only_elements(root, collector)
    for name in root.attributes.keys() - {"version"}:
        collector.add(root.line, Trouble.FIELD_UNKNOWN, field=name)
    for one in root.children:
        _read_list(one, builder, collector)
    return builder.export()


def _read_list(element: Element, builder: Builder, collector: Collector) -> None:
    kind = LISTS.get(element.name)
    if kind is None:
        collector.add(element.line, Trouble.RECORD_UNKNOWN, text=element.name)
        return
    _only_elements(element, collector)
    for name in element.attributes:
        collector.add(element.line, Trouble.FIELD_UNKNOWN, field=name)
    for child in element.children:
        if child.name != kind.value:
            collector.add(child.line, Trouble.RECORD_UNKNOWN, text=child.name)
            continue
        before = collector.count
        raw = _raw(child, collector)
        if collector.count == before:
            builder.add(kind, raw, child.line)


def _raw(element: Element, collector: Collector) -> dict[str, str]:
    """Attributes and names; what is neither is a finding."""
    _only_elements(element, collector)
    raw = {key: value for key, value in element.attributes.items() if not key.startswith(f"{NAME}.")}
    for key in element.attributes.keys() - raw.keys():
        collector.add(element.line, Trouble.FIELD_UNKNOWN, field=key)
    for child in element.children:
        key = f"{NAME}.{child.attributes.get('lang', '')}"
        if child.name != NAME or child.children or child.attributes.keys() - {"lang"}:
            collector.add(child.line, Trouble.FIELD_UNKNOWN, field=child.name)
        elif key in raw:
            collector.add(child.line, Trouble.FIELD_TWICE, field=key)
        else:
            raw[key] = child.text
    return raw


def _only_elements(element: Element, collector: Collector) -> None:
    if element.text:
        collector.add(element.line, Trouble.LINE_NOT_UNDERSTOOD, text=element.text.strip())
