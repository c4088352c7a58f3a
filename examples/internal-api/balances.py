#!/usr/bin/env python3
"""Lists the merchant's balances. It has no secret: Caddy signs the call."""

import json
import sys
import urllib.error
import urllib.request

API = "http://127.0.0.1:2080/ccpayment/"


def call(endpoint, parameters=None):
    """Returns the data of CCPayment's answer, or ends with what went wrong."""
    request = urllib.request.Request(
        API + endpoint,
        data=json.dumps(parameters or {}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as refusal:
        sys.exit(f"{endpoint}: {refusal.code} {refusal.read().decode(errors='replace')}")
    except urllib.error.URLError as problem:
        sys.exit(f"{endpoint}: is Caddy running? {problem.reason}")
    if answer["code"] != 10000:
        sys.exit(f"{endpoint}: {answer['code']} {answer['msg']}")
    return answer["data"]


# Amounts are text, and stay text: a float would change them.
for asset in call("getAppCoinAssetList")["assets"]:
    print(f"{asset['coinSymbol']:8} {asset['available']:>24}")
