<?php
// A receiver behind a proxy that takes webhooks from CCPayment's published addresses only:
// the first of X-Forwarded-For is who sent it.
$allowed = ['54.150.123.157', '35.72.150.75', '18.176.186.244'];
$client = trim(explode(',', $_SERVER['HTTP_X_FORWARDED_FOR'] ?? $_SERVER['REMOTE_ADDR'])[0]);
if (!in_array($client, $allowed, true)) {
    http_response_code(403);
    exit("$client is not allowed");
}
echo 'Success';
