"""Use the journal through keystoneauth1, as OpenStack's Python clients do.

    python3 journal.py ENDPOINT TOKEN
"""
import sys

from keystoneauth1 import adapter, exceptions, session, token_endpoint

endpoint, token = sys.argv[1:]


def connect(token):
    return adapter.Adapter(session.Session(auth=token_endpoint.Token(endpoint, token)), service_type="journal")


def want(what, got, expected):
    if got != expected:
        sys.exit("%s: got %r, want %r" % (what, got, expected))


s = connect(token)
get = lambda path, **params: s.get(path, params=params).json()

rows = get("/journal/", object_type__in=["server", "node"], id__lte=47, limit=4)["journal"]
want("object_type__in twice", [r["id"] for r in rows], [46, 45, 44, 43])
want("members of an entry", len(rows[0]), 14)
want("count", get("/journal/count", message__contains="ОБЪЕКТ", id__lte=47)["count"] > 0, True)

r = s.post("/journal/", json={"journal": {
    "object_id": 4, "object_type": "node", "action": "node_control.power_on", "status": "Success",
    "message": "включён", "response_code": 202, "parent_request_id": None}})
want("status of a POST", r.status_code, 201)
posted = r.json()["journal"]
want("what was posted", [posted[k] for k in ("object_id", "status", "message", "response_code", "parent_request_id")],
     ["4", "success", "включён", "202", None])
want("GET after POST", get("/journal/%d" % posted["id"])["journal"], posted)
want("found by its request", get("/journal/", request_id=posted["request_id"])["journal"], [posted])

for what, call, error in (
        ("a wrong token", lambda: connect("wrong").get("/journal/"), exceptions.Unauthorized),
        ("an unknown modifier", lambda: get("/journal/", action__like="x"), exceptions.BadRequest),
        ("an entry that does not exist", lambda: get("/journal/999999"), exceptions.NotFound)):
    try:
        call()
        sys.exit("%s: no error" % what)
    except error as e:
        want(what + ": title and request id", [bool(e.message), e.request_id[:4]], [True, "req-"])
print("ok")
