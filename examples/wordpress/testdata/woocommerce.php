<?php
/**
 * Plugin Name: Stand-in for WooCommerce
 *
 * For a test, where WooCommerce is not to be had: the functions and classes that
 * ../ccpayment.php uses, with WooCommerce's names and meanings, and its address /wc-api/….
 */

class WC_Payment_Gateway {
	public $id, $title, $method_title, $enabled;
}

class WC_Order {
	private $id, $data;

	public function __construct($id, $data) {
		$this->id = $id;
		$this->data = $data;
	}
	public function get_id() {
		return $this->id;
	}
	public function get_order_number() {
		return (string) $this->id;
	}
	public function get_order_key() {
		return $this->data['key'];
	}
	public function get_total() {
		return $this->data['total'];
	}
	public function get_currency() {
		return 'USD';
	}
	public function is_paid() {
		return $this->data['completed'] > 0;
	}
	public function get_checkout_order_received_url() {
		return home_url('/thanks');
	}
	public function update_status($status, $note = '') {
	}
	public function payment_complete($transaction = '') {
		$this->data['completed']++; // WooCommerce does so once; here it is counted
		return update_option("order_$this->id", $this->data);
	}
}

function wc_get_order($id) {
	$data = get_option("order_$id");
	return $data ? new WC_Order($id, $data) : false;
}

function wc_format_decimal($number, $decimals) {
	return number_format((float) $number, $decimals, '.', '');
}

function wc_get_checkout_url() {
	return home_url('/checkout');
}

// As WC_API has it: the endpoint, the action named after it, and "-1" if that did not exit.
add_action('init', function () {
	add_rewrite_endpoint('wc-api', EP_ALL);
});
add_filter('query_vars', function ($vars) {
	$vars[] = 'wc-api';
	return $vars;
});
add_action('parse_request', function ($wp) {
	if (empty($wp->query_vars['wc-api'])) {
		return;
	}
	$action = 'woocommerce_api_' . strtolower($wp->query_vars['wc-api']);
	status_header(has_action($action) ? 200 : 400);
	do_action($action);
	die('-1');
}, 0);
