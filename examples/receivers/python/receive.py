# Takes each CCPayment event once: the inbox row and the effect are one transaction.
import hmac
import os
import sqlite3
import sys
from socketserver import ThreadingMixIn
from threading import Lock
from wsgiref.simple_server import WSGIServer, make_server

TOKEN = os.environ.get("SHOP_TOKEN") or sys.exit("SHOP_TOKEN is empty")
LOCK, DB = Lock(), sqlite3.connect(os.environ.get("INBOX", "inbox.db"), check_same_thread=False)
DB.execute("PRAGMA synchronous = EXTRA")  # a commit survives a power cut
DB.execute("CREATE TABLE IF NOT EXISTS inbox (idempotency_key TEXT NOT NULL PRIMARY KEY, body)")
DB.execute("CREATE TABLE IF NOT EXISTS record_state (record_id, type, status, seq INT, PRIMARY KEY (record_id, type))")


class Server(ThreadingMixIn, WSGIServer):
    """One thread per connection, so that an idle one holds up nobody."""


def hook(env, start):
    key, body = env.get("HTTP_IDEMPOTENCY_KEY"), env["wsgi.input"].read(int(env["CONTENT_LENGTH"]))
    ours = env["REQUEST_METHOD"] + env["PATH_INFO"] == "POST/hook" and key and len(body) == int(env["CONTENT_LENGTH"])
    if trusted := ours and hmac.compare_digest(env.get("HTTP_AUTHORIZATION", "").encode(), f"Bearer {TOKEN}".encode()):
        with LOCK, DB:  # one at a time; commits, or rolls back and answers 500
            new = DB.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT (idempotency_key) DO NOTHING", (key, body))
            if new.rowcount and "HTTP_CCPAYMENT_RECORD_ID" in env:  # only a later one overwrites
                DB.execute("""INSERT INTO record_state VALUES (?, ?, ?, ?) ON CONFLICT (record_id, type) DO UPDATE
                    SET status = excluded.status, seq = excluded.seq WHERE seq < excluded.seq""",
                    [env.get("HTTP_CCPAYMENT_" + name) for name in ("RECORD_ID", "TYPE", "STATUS", "RECORD_SEQ")])
    start("200 OK" if trusted else "401 Unauthorized", [])
    return []


make_server("127.0.0.1", int(os.environ.get("PORT", 3000)), hook, Server).serve_forever()
