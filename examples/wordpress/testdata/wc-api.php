<?php
/**
 * Plugin Name: A receiver at /wc-api/, as payment plugins for WooCommerce have it
 *
 * It checks CCPayment's signature by itself. With the token in front, which only Caddy has.
 */

add_action('woocommerce_api_ccpayment', function () {
	$body  = file_get_contents('php://input'); // the raw bytes that are signed
	$sign  = hash_hmac('sha256', CCPAYMENT_APP_ID . ($_SERVER['HTTP_TIMESTAMP'] ?? '') . $body, CCPAYMENT_APP_SECRET);
	$ours  = hash_equals('Bearer ' . CCPAYMENT_TOKEN, $_SERVER['HTTP_AUTHORIZATION'] ?? '');
	if (!$ours || !hash_equals($sign, $_SERVER['HTTP_SIGN'] ?? '')) {
		status_header(401);
		exit;
	}
	if (($_SERVER['HTTP_CCPAYMENT_FULFILL'] ?? '') === 'true') {
		$order = wc_get_order((int) substr($_SERVER['HTTP_CCPAYMENT_ORDER_ID'], strlen('wc-')));
		if (!$order || !$order->is_paid() && !$order->payment_complete($_SERVER['HTTP_CCPAYMENT_RECORD_ID'])) {
			status_header(503); // Caddy tries again
			exit;
		}
	}
	exit('Success'); // without the exit WooCommerce says -1, with status 200
});
