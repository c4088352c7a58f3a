<?php
// Installs WordPress with an order for each key. Usage: php setup.php <folder> <order>…
define('WP_INSTALLING', true);
require "$argv[1]/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Shop', 'admin', 'admin@example.com', true, '', 'password');
$GLOBALS['wp_rewrite']->set_permalink_structure('/%postname%/');
add_rewrite_endpoint('wc-api', EP_ALL);
$GLOBALS['wp_rewrite']->flush_rules(false);
foreach (array_slice($argv, 2) as $id) {
	update_option("order_$id", ['key' => "wc_order_key$id", 'total' => '49.9', 'completed' => 0]);
}
