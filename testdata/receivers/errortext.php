<?php
// A receiver as shop plugins have it: it always responds with 200, and only the text says
// whether it worked. What it needs is out of reach while the file DOWN is there.
$body = file_get_contents('php://input');
$sign = hash_hmac('sha256', getenv('APP_ID') . ($_SERVER['HTTP_TIMESTAMP'] ?? '') . $body, getenv('APP_SECRET'));
if (!hash_equals($sign, $_SERVER['HTTP_SIGN'] ?? '')) {
    echo 'Invalid signature';
} elseif (file_exists(getenv('DOWN'))) {
    echo 'Failed to get the order: cURL error 28: Operation timed out';
} else {
    echo 'Success';
}
