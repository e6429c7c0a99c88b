"""OpenTelemetry's log records, to the usual names of fields."""

import json
from typing import Any, Final

from logstore.sources.levels import level_named, level_of_telemetry

_SIGNS: Final = frozenset(
    {"timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "severity_number"}
    | {"SeverityText", "SeverityNumber", "Body", "resourceLogs"}
)
_TIMES: Final = (
    *("timeUnixNano", "time_unix_nano", "Timestamp", "timestamp"),
    *("observedTimeUnixNano", "observed_time_unix_nano", "ObservedTimestamp", "observed_timestamp"),
)
_NO_TIME: Final = (None, 0, "0", "")
_VALUES: Final = ("stringValue", "boolValue", "intValue", "doubleValue", "bytesValue")


def is_telemetry(fields: dict[str, Any]) -> bool:
    """Tell whether an object is a log record of OpenTelemetry, or an envelope of such."""
    return not _SIGNS.isdisjoint(fields)


def usual_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the record with the usual names: time, level, message, host, program, then its attributes.

    The record may be in the envelope of an exporter (`resourceLogs`); an envelope of several records
    is returned as it is: a line is one record.
    """
    record = _unwrapped(fields)
    if record is None:
        return fields
    resource = _attributes(_take(record, "resource", "Resource"))
    attributes = _attributes(_take(record, "attributes", "Attributes"))
    number = level_of_telemetry(_take(record, "severityNumber", "severity_number", "SeverityNumber"))
    text = _take(record, "severityText", "severity_text", "SeverityText")
    body = _plain(_take(record, "body", "Body"))
    usual = {
        "time": next((record.pop(key) for key in _TIMES if record.get(key) not in _NO_TIME), None),
        "level": (level_named(text) if isinstance(text, str) else None) or number,
        "message": body if isinstance(body, str | None) else json.dumps(body, ensure_ascii=False),
        "host": resource.pop("host.name", None),
        "program": resource.pop("service.name", None),
    }
    known = {key: value for key, value in usual.items() if value is not None}
    rest = {**attributes, **record} | ({"resource": resource} if resource else {})
    return known | {key: value for key, value in rest.items() if key not in known}


def _unwrapped(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return the one record of an envelope, with its resource; None if it holds not just one."""
    if "resourceLogs" not in fields:
        return dict(fields)
    try:
        (of_resource,) = fields["resourceLogs"]
        (of_scope,) = of_resource["scopeLogs"]
        (record,) = of_scope["logRecords"]
        around = {"resource": of_resource.get("resource"), "scope": of_scope.get("scope")}
        return {**record, **{name: value for name, value in around.items() if value}}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _take(record: dict[str, Any], *keys: str) -> Any:
    """Remove the keys and return the value of the first that has one."""
    found = [record.pop(key, None) for key in keys]
    return next((value for value in found if value is not None), None)


def _attributes(value: Any) -> dict[str, Any]:
    """Return attributes, `{name: value}` or `[{"key": name, "value": {"stringValue": value}}]`."""
    if isinstance(value, dict) and "attributes" in value:
        value = value["attributes"]
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, list):
        return {} if value is None else {"attributes": value}
    pairs = [pair for pair in value if isinstance(pair, dict) and isinstance(pair.get("key"), str)]
    if len(pairs) < len(value):
        return {"attributes": value}
    return {pair["key"]: _plain(pair.get("value")) for pair in pairs}


def _plain(value: Any) -> Any:
    """Return an AnyValue such as `{"stringValue": "x"}` as the value it holds."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind in _VALUES:
        return inner
    if kind == "kvlistValue" and isinstance(inner, dict):
        return _attributes(inner.get("values"))
    if kind == "arrayValue" and isinstance(inner, dict) and isinstance(inner.get("values"), list):
        return [_plain(one) for one in inner["values"]]
    return value
