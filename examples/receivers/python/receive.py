# Takes each CCPayment event once: the inbox row and the effect are one transaction. Of an
# event only Fulfill and Credit decide about goods and money: never its status or its body.
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
DB.execute("CREATE TABLE IF NOT EXISTS fulfilled (order_id TEXT NOT NULL PRIMARY KEY)")
DB.execute("CREATE TABLE IF NOT EXISTS credited (record_id, type, buyer, coin, amount TEXT, PRIMARY KEY (record_id, type))")


class Server(ThreadingMixIn, WSGIServer):
    """One thread per connection, so that an idle one holds up nobody."""


def hook(env, start):
    key, body = env.get("HTTP_IDEMPOTENCY_KEY"), env["wsgi.input"].read(int(env["CONTENT_LENGTH"]))
    ours = env["REQUEST_METHOD"] + env["PATH_INFO"] == "POST/hook" and key and len(body) == int(env["CONTENT_LENGTH"])
    if trusted := ours and hmac.compare_digest(env.get("HTTP_AUTHORIZATION", "").encode(), f"Bearer {TOKEN}".encode()):
        with LOCK, DB:  # one at a time; commits, or rolls back and answers 500
            DB.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT (idempotency_key) DO NOTHING", (key, body))
            # A repeat may be the first to have the flag: the order decides, or the record, and not the inbox.
            if env.get("HTTP_CCPAYMENT_FULFILL") == "true":  # ship it, unless it was shipped before
                DB.execute("INSERT INTO fulfilled VALUES (?) ON CONFLICT (order_id) DO NOTHING", [env["HTTP_CCPAYMENT_ORDER_ID"]])
            elif env.get("HTTP_CCPAYMENT_CREDIT") == "true":  # add it to the buyer's balance, unless it was added before
                event = [env.get("HTTP_CCPAYMENT_" + name) for name in ("RECORD_ID", "TYPE", "REFERENCE_ID", "USER_ID", "COIN", "AMOUNT")]
                DB.execute("INSERT INTO credited VALUES (?, ?, coalesce(?, ?), ?, ?) ON CONFLICT (record_id, type) DO NOTHING", event)
    start("200 OK" if trusted else "401 Unauthorized", [])
    return []


make_server("127.0.0.1", int(os.environ.get("PORT", 3000)), hook, Server).serve_forever()
