<?php
// What a Laravel shop adds to routes/web.php: the hook, and the answer that sends a buyer to pay.
use Illuminate\Foundation\Http\Middleware\VerifyCsrfToken;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Route;

$hook = function (Request $request) {
    $token = config('shop.token') ?: throw new RuntimeException('SHOP_TOKEN is empty');
    $ours = hash_equals("Bearer $token", (string) $request->header('Authorization'));
    abort_unless($ours && $request->header('Idempotency-Key'), 401);
    DB::transaction(function () use ($request) {
        // Writes nothing new where a unique index has the row. (insertOrIgnore hides other errors, too, on MySQL.)
        $once = fn(string $table, array $row, array $key) => DB::table($table)->upsert([$row], $key, $key);
        $h = fn(string $name) => $request->header($name);
        $once('inbox', ['idempotency_key' => $h('Idempotency-Key'), 'body' => $request->getContent()], ['idempotency_key']);
        // A repeat may be the first to have the flag: the order decides, or the record, and not the inbox.
        if ($h('Ccpayment-Fulfill') === 'true') { // a worker ships what is in the table
            $once('fulfilled', ['order_id' => $h('Ccpayment-Order-Id')], ['order_id']);
        } elseif ($h('Ccpayment-Credit') === 'true') {
            $once('credited', [
                'record_id' => $h('Ccpayment-Record-Id'), 'type' => $h('Ccpayment-Type'),
                'buyer' => $h('Ccpayment-Reference-Id') ?? $h('Ccpayment-User-Id'),
                'coin' => $h('Ccpayment-Coin'), 'amount' => $h('Ccpayment-Amount'),
            ], ['record_id', 'type']);
        }
    });
    return 'Success'; // after the commit; `ack Success` asks for it, as PHP may die with a 200
};

Route::post('/hook', $hook)->withoutMiddleware(VerifyCsrfToken::class);

// For an app that checks CCPayment's signature already: `sign ccpayment`.
Route::post('/signed', function (Request $request) use ($hook) {
    $text = config('shop.app_id') . $request->header('Timestamp') . $request->getContent();
    abort_unless(hash_equals(hash_hmac('sha256', $text, config('shop.app_secret')), (string) $request->header('Sign')), 401);
    return $hook($request);
})->withoutMiddleware(VerifyCsrfToken::class);

// With Laravel's CSRF check, as it is a buyer's form.
Route::post('/buy', fn() => response()->json(
    ['order_id' => 'order-1', 'price' => '49.90', 'currency' => 'USD', 'return_url' => url('/thanks')],
    402,
));
