#!/bin/sh
# Verifies one delivery of CCPayment and forwards it to the app; run by webhook, once for each.
# Whatever goes wrong is a 500 to CCPayment, which then delivers again.
set -eu
timestamp=$1 sign=$2 body=$3

now=$(date +%s)
case $timestamp in *[!0-9]* | '') exit 1 ;; esac
[ "$timestamp" -gt $((now - 300)) ]
[ "$timestamp" -lt $((now + 300)) ]

want=$(printf '%s%s%s' "$CCPAYMENT_APP_ID" "$timestamp" "$body" |
	openssl dgst -sha256 -hmac "$CCPAYMENT_APP_SECRET" -r)
[ "$sign" = "${want%% *}" ]

printf '%s' "$body" | curl --fail --silent --show-error --max-time 30 --output /dev/null \
	--header 'Content-Type: application/json' --data-binary @- "$APP_URL"
printf 'Success'
