//go:build unix && frameworks

package receivers_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// wordpress is a WordPress of Debian's with examples/wordpress, MariaDB and PHP-FPM, without
// the Caddy in front.
type wordpress struct {
	root, socket, fpm string
}

const wordpressSource = "/usr/share/wordpress"

func newWordPress(t *testing.T) *wordpress {
	t.Helper()
	mariadbd, install, php := needs.Command(t, "mariadbd"), needs.Command(t, "mariadb-install-db"), needs.Command(t, "php")
	fpm := needs.Command(t, "php-fpm8.2", "php-fpm8.4", "php-fpm")
	if _, err := os.Stat(wordpressSource); err != nil {
		needs.Missing(t, "wordpress")
	}
	dir, err := os.MkdirTemp("", "wp") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &wordpress{root: filepath.Join(dir, "wordpress"), socket: filepath.Join(dir, "db.sock"), fpm: filepath.Join(dir, "fpm.sock")}
	data := filepath.Join(dir, "data")
	output := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	user := "--user=" + os.Getenv("USER")
	if os.Getuid() == 0 {
		user = "--user=root"
	}
	output(install, "--no-defaults", "--datadir="+data, user, "--auth-root-authentication-method=normal", "--skip-test-db")
	w.write(t, filepath.Join(dir, "init.sql"), "CREATE DATABASE IF NOT EXISTS wordpress;\n")
	w.start(t, w.socket, mariadbd, "--no-defaults", "--datadir="+data, user, "--socket="+w.socket, "--skip-networking", "--pid-file="+filepath.Join(dir, "db.pid"), "--init-file="+filepath.Join(dir, "init.sql"))

	output("cp", "-rL", wordpressSource, w.root)
	w.write(t, filepath.Join(w.root, "wp-config.php"), fmt.Sprintf(`<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:%s');
define('DB_CHARSET', 'utf8mb4');
define('CCPAYMENT_TOKEN', '%s');
define('CCPAYMENT_APP_ID', '%s');
define('CCPAYMENT_APP_SECRET', '%s');
define('WP_HOME', 'http://' . ($_SERVER['HTTP_HOST'] ?? 'localhost'));
define('WP_SITEURL', WP_HOME);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require ABSPATH . 'wp-settings.php';
`, w.socket, token, appID, appSecret))
	plugins := filepath.Join(w.root, "wp-content", "mu-plugins")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"ccpayment.php", "testdata/woocommerce.php", "testdata/wc-api.php"} {
		text, err := os.ReadFile(filepath.Join("..", "wordpress", file))
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, filepath.Join(plugins, filepath.Base(file)), string(text))
	}
	output(php, filepath.Join("..", "wordpress", "testdata", "setup.php"), w.root, "7", "8")

	pool := fmt.Sprintf("[global]\nerror_log = %s/fpm.log\ndaemonize = no\n[www]\nlisten = %s\npm = static\npm.max_children = 3\n", dir, w.fpm)
	args := []string{"-y", filepath.Join(dir, "fpm.conf")}
	if os.Getuid() == 0 {
		pool += "user = root\ngroup = root\n"
		args = append(args, "-R")
	}
	w.write(t, filepath.Join(dir, "fpm.conf"), pool)
	w.start(t, w.fpm, fpm, args...)
	return w
}

func (w *wordpress) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start returns when the socket is there.
func (w *wordpress) start(t *testing.T, socket, program string, args ...string) {
	t.Helper()
	p := processtest.Start(t, os.Environ(), program, args...)
	t.Cleanup(func() { p.End(t, syscall.SIGTERM) })
	processtest.Until(t, program+" listens", func() bool {
		if p.Gone() {
			t.Fatalf("%s ended: %v\n%s", program, p.Err, p.Output.Tail())
		}
		_, err := os.Stat(socket)
		return err == nil
	})
}

// eval runs PHP in WordPress and returns what it prints.
func (w *wordpress) eval(t *testing.T, code string) string {
	t.Helper()
	out, err := exec.Command("php", "-r", "require $argv[1]; "+code, "--", filepath.Join(w.root, "wp-load.php")).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", code, err, out)
	}
	return strings.TrimSpace(string(out))
}

// completed is how often WooCommerce was told that an order is paid.
func (w *wordpress) completed(t *testing.T, order string) string {
	t.Helper()
	return w.eval(t, fmt.Sprintf("echo get_option('order_%s')['completed'];", order))
}

// The Caddyfile and the plugin of examples/wordpress, in WordPress itself; in WooCommerce's
// place are the few functions that the plugin uses.
func TestFrameworkWordPress(t *testing.T) {
	w := newWordPress(t)
	text, err := os.ReadFile("../wordpress/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	_, site, _ := strings.Cut(string(text), "shop.example.com {\n")
	site = strings.NewReplacer("/var/www/wordpress", w.root, "unix//run/php/php-fpm.sock", "unix/"+w.fpm).Replace(site[:strings.LastIndex(site, "}")])
	const hook = "/wp-json/ccpayment/v1/hook"
	// The guide's lines for a receiver that checks the signature.
	wcAPI := strings.NewReplacer("ccpayment_webhook "+hook+" {", "ccpayment_webhook /wc-api/ccpayment/ {\nsign ccpayment", "ack event-stored", "").Replace(site)
	for i, path := range []string{hook, "/wc-api/ccpayment/"} {
		order := []string{"7", "8"}[i]
		t.Run(path, func(t *testing.T) {
			f := newFront(t, []string{site, wcAPI}[i], path)
			buyer := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			for _, key := range []string{"wrong", "wc_order_key" + order} {
				req, err := http.NewRequest(http.MethodGet, "http://"+f.site+"/wp-json/ccpayment/v1/pay?order="+order+"&key="+key, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept", "text/html")
				res, err := buyer.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if want := map[bool]int{true: http.StatusNotFound, false: http.StatusSeeOther}[key == "wrong"]; res.StatusCode != want {
					t.Fatalf("the buyer with the key %s gets %d, want %d", key, res.StatusCode, want)
				}
			}
			f.pay(t, "wc-"+order)
			paid := f.delivered(t, 1)
			if got := w.completed(t, order); got != "1" {
				t.Errorf("WooCommerce was told %s times\n%+v", got, paid)
			}
			for _, e := range paid {
				if e.State == "delivered" {
					f.run(t, "events", "replay", e.ID, "--reason", "test", "--address", f.admin)
				}
			}
			processtest.Until(t, "the replays are delivered", func() bool {
				for _, e := range f.delivered(t, len(paid)) {
					if e.State == "delivered" && e.Attempts != 2 {
						return false
					}
				}
				return true
			})
			if got := w.completed(t, order); got != "1" {
				t.Errorf("after a replay WooCommerce was told %s times", got)
			}
		})
	}

	plain := "$GLOBALS['wp_rewrite']->set_permalink_structure(''); flush_rewrite_rules(false);"
	for _, trap := range []struct{ name, before, old, new, cause string }{
		{"token", "", "token {env.SHOP_TOKEN}", "token another", "the app answered 401: has it the same token?"},
		// /wp-json/ is no address then, and WordPress shows its front page with 200.
		{"plain permalinks", plain, "", "", "the app answered 200 without the text that `ack` asks for"},
		{"plain permalinks without ack", plain, "ack event-stored", "", ""}, // lost: that is what ack is for
	} {
		t.Run(trap.name, func(t *testing.T) {
			if trap.before != "" {
				w.eval(t, trap.before)
			}
			site := strings.Replace(strings.Replace(site, trap.old, trap.new, 1), "deliver {", "confirm off\nretry {\nfirst 50ms\n}\ndeliver {", 1)
			f := newFront(t, site, hook)
			f.run(t, "trigger", "ApiDeposit", "--to", "http://"+f.site+hook, "--order-id", "wc-7")
			var e shownEvent
			processtest.Until(t, "it is retried, or delivered", func() bool { e = f.events(t)[0]; return e.Attempts >= 3 || e.State == "delivered" })
			if (e.State == "delivered") != (trap.cause == "") || !strings.HasPrefix(e.LastError, trap.cause) {
				t.Errorf("%+v\nwant the cause %q", e, trap.cause)
			}
		})
	}
}
