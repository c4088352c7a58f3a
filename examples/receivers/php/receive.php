<?php
// Takes each CCPayment event once: the inbox row and the effect are one transaction.
http_response_code(500); // stays so whatever fails, until the event is committed
$token = getenv('SHOP_TOKEN') ?: throw new RuntimeException('SHOP_TOKEN is empty');
$key = $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? '';
$ours = "$_SERVER[REQUEST_METHOD] $_SERVER[REQUEST_URI]" === 'POST /hook' && $key !== '';
if (!$ours || !hash_equals("Bearer $token", $_SERVER['HTTP_AUTHORIZATION'] ?? '')) {
    http_response_code(401);
    exit;
}
$db = new PDO('sqlite:' . (getenv('INBOX') ?: 'inbox.db'));
$db->exec('PRAGMA synchronous = EXTRA; BEGIN IMMEDIATE'); // survives a power cut; a copy waits its turn here
$db->exec('CREATE TABLE IF NOT EXISTS inbox (idempotency_key TEXT NOT NULL PRIMARY KEY, body)');
$db->exec('CREATE TABLE IF NOT EXISTS record_state (record_id, type, status, seq INT, PRIMARY KEY (record_id, type))');
$inbox = $db->prepare('INSERT INTO inbox VALUES (?, ?) ON CONFLICT (idempotency_key) DO NOTHING');
$inbox->execute([$key, file_get_contents('php://input')]);
$event = array_map(fn($h) => $_SERVER["HTTP_CCPAYMENT_$h"] ?? null, ['RECORD_ID', 'TYPE', 'STATUS', 'RECORD_SEQ']);
if ($inbox->rowCount() === 1 && $event[0] !== null) { // a new event of a record: only a later one overwrites
    $db->prepare('INSERT INTO record_state VALUES (?, ?, ?, ?) ON CONFLICT (record_id, type) DO UPDATE
        SET status = excluded.status, seq = excluded.seq WHERE seq < excluded.seq')->execute($event);
}
$db->exec('COMMIT');
http_response_code(200);
