<?php
/**
 * Plugin Name: Crypto payments through Caddy
 */

add_action('plugins_loaded', function () {
	if (!class_exists('WC_Payment_Gateway')) {
		return;
	}
	class Caddy_CCPayment extends WC_Payment_Gateway {
		public function __construct() {
			$this->id           = 'caddy_ccpayment';
			$this->title        = 'Cryptocurrency';
			$this->method_title = 'Crypto payments through Caddy';
			$this->enabled      = 'yes';
		}

		public function process_payment($order_id) {
			$order = wc_get_order($order_id);
			$order->update_status('pending', 'The buyer was sent to pay.');
			return array(
				'result'   => 'success',
				'redirect' => add_query_arg(
					array('order' => $order->get_id(), 'key' => $order->get_order_key()),
					rest_url('ccpayment/v1/pay')
				),
			);
		}
	}
	add_filter('woocommerce_payment_gateways', function ($gateways) {
		$gateways[] = 'Caddy_CCPayment';
		return $gateways;
	});
});

add_action('rest_api_init', function () {
	// The order, for Caddy, which takes this answer and sends the buyer to pay.
	register_rest_route('ccpayment/v1', '/pay', array(
		'methods'             => 'GET',
		'permission_callback' => '__return_true', // the order's key is checked below
		'callback'            => function (WP_REST_Request $request) {
			$order = wc_get_order((int) $request['order']);
			if (!$order instanceof WC_Order || !hash_equals($order->get_order_key(), (string) $request['key'])) {
				return new WP_REST_Response(array('message' => 'no such order'), 404);
			}
			if ($order->is_paid()) {
				return new WP_REST_Response(null, 303, array('Location' => $order->get_checkout_order_received_url()));
			}
			return new WP_REST_Response(array(
				'order_id'   => 'wc-' . $order->get_id(),
				'price'      => wc_format_decimal($order->get_total(), 2), // a text, not a float
				'currency'   => $order->get_currency(),
				'product'    => 'Order ' . $order->get_order_number(),
				'return_url' => $order->get_checkout_order_received_url(),
				'close_url'  => wc_get_checkout_url(),
			), 402);
		},
	));

	// What Caddy has verified and confirmed.
	register_rest_route('ccpayment/v1', '/hook', array(
		'methods'             => 'POST',
		'permission_callback' => function (WP_REST_Request $request) {
			return hash_equals('Bearer ' . CCPAYMENT_TOKEN, (string) $request->get_header('authorization'));
		},
		'callback'            => function (WP_REST_Request $request) {
			if ($request->get_header('ccpayment-fulfill') !== 'true') {
				return new WP_REST_Response('event-stored', 200); // nothing to do; the word is that of Caddy's `ack`
			}
			$id    = substr((string) $request->get_header('ccpayment-order-id'), strlen('wc-'));
			$order = wc_get_order((int) $id);
			if (!$order instanceof WC_Order) {
				return new WP_REST_Response(null, 503); // Caddy tries again, and alerts in the end
			}
			if (!$order->is_paid() && !$order->payment_complete((string) $request->get_header('ccpayment-record-id'))) {
				return new WP_REST_Response(null, 503);
			}
			return new WP_REST_Response('event-stored', 200);
		},
	));
});
