<?php
// Takes each CCPayment event once: the inbox row and the effect are one transaction. Of an
// event only Fulfill and Credit decide about goods and money: never its status or its body.
http_response_code(500); // stays so whatever fails, until the event is committed
$token = getenv('SHOP_TOKEN') ?: throw new RuntimeException('SHOP_TOKEN is empty');
$key = $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? '';
$ours = "$_SERVER[REQUEST_METHOD] $_SERVER[REQUEST_URI]" === 'POST /hook' && $key !== '';
// Apache and CGI keep Authorization from scripts, or rename it: see CGIPassAuth in docs/receiving.md.
$auth = $_SERVER['HTTP_AUTHORIZATION'] ?? $_SERVER['REDIRECT_HTTP_AUTHORIZATION'] ?? array_change_key_case(getallheaders())['authorization'] ?? '';
if (!$ours || !hash_equals("Bearer $token", $auth)) {
    http_response_code(401);
    exit;
}
$db = new PDO('sqlite:' . (getenv('INBOX') ?: 'inbox.db'));
$db->exec('PRAGMA synchronous = EXTRA; BEGIN IMMEDIATE'); // survives a power cut; a copy waits its turn here
$db->exec('CREATE TABLE IF NOT EXISTS inbox (idempotency_key TEXT NOT NULL PRIMARY KEY, body)');
$db->exec('CREATE TABLE IF NOT EXISTS fulfilled (order_id TEXT NOT NULL PRIMARY KEY)');
$db->exec('CREATE TABLE IF NOT EXISTS credited (record_id, type, buyer, coin, amount TEXT, PRIMARY KEY (record_id, type))');
$db->prepare('INSERT INTO inbox VALUES (?, ?) ON CONFLICT (idempotency_key) DO NOTHING')
    ->execute([$key, file_get_contents('php://input')]);
$event = fn(...$names) => array_map(fn($name) => $_SERVER["HTTP_CCPAYMENT_$name"] ?? null, $names);
// A repeat may be the first to have the flag: the order decides, or the record, and not the inbox.
if ($event('FULFILL') === ['true']) { // ship it, unless it was shipped before
    $db->prepare('INSERT INTO fulfilled VALUES (?) ON CONFLICT (order_id) DO NOTHING')->execute($event('ORDER_ID'));
} elseif ($event('CREDIT') === ['true']) { // add it to the buyer's balance, unless it was added before
    $db->prepare('INSERT INTO credited VALUES (?, ?, coalesce(?, ?), ?, ?) ON CONFLICT (record_id, type) DO NOTHING')
        ->execute($event('RECORD_ID', 'TYPE', 'REFERENCE_ID', 'USER_ID', 'COIN', 'AMOUNT'));
}
$db->exec('COMMIT');
http_response_code(200);
echo 'event-', 'stored'; // for `ack`, as PHP may die with a 200; in two parts, as a server may send this source unrun
