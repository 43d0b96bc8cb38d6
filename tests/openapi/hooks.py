"""For schemathesis: no schema can say what a CSV must hold, so none are generated; the tests of predictd send them. BREAK makes a document that lies, to
show that it is noticed."""

import os

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    return case.media_type != "text/csv"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    if "BREAK" in os.environ:
        for schema in raw_schema["components"]["schemas"].values():
            schema.get("required", []).append("nonsense")
