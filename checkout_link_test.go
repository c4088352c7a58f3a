package ccpayment_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

const linkSecret = "secret-of-the-links"

// link is a query with its signature, as the contract tells to make it. Each
// field is name=value, not yet encoded.
func link(fields ...string) string { return linkOf(appID, linkSecret, fields...) }

func linkOf(app, key string, fields ...string) string {
	query := make(url.Values)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		query.Set(name, value)
	}
	text := app
	for _, name := range strings.Fields("order_id price currency valid_until product buyer_email return_url close_url coin chain") {
		text += "\n" + query.Get(name)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	query.Set("sig", hex.EncodeToString(mac.Sum(nil)))
	return query.Encode()
}

// runLink runs `caddy ccpayment link` and returns what it printed.
func runLink(args ...string) (string, error) {
	cmd := &cobra.Command{Use: "ccpayment", SilenceUsage: true, SilenceErrors: true}
	caddycmd.Commands()["ccpayment"].CobraFunc(cmd)
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"link"}, args...))
	err := cmd.Execute()
	return strings.TrimSpace(out.String()), err
}

// TestLinkCommand: the command's links open a checkout of what they say.
func TestLinkCommand(t *testing.T) {
	t.Setenv("CCPAYMENT_LINK_SECRET", linkSecret)
	t.Setenv("CCPAYMENT_APP_ID", appID)
	t.Setenv("CCPAYMENT_APP_SECRET", "")
	s := checkoutShop(t, "link_secret "+linkSecret+" the-previous-secret", nil)
	open := func(page string) visit {
		t.Helper()
		u, err := url.Parse(page)
		if err != nil {
			t.Fatal(err)
		}
		return s.visit(http.MethodGet, u.RequestURI(), "", nil)
	}
	made, err := runLink("--url", "http://"+s.addr+"/pay?utm_source=mail", "--order-id", "order-1", "--price", "49.90", "--product", "Tea & cups, 2 ×",
		"--buyer-email", "buyer@example.com", "--return-url", "https://shop.example/thanks", "--close-url", "https://shop.example/cart")
	if err != nil {
		t.Fatal(err)
	}
	if v := open(made); v.status != http.StatusCreated || v.answer.OrderID != "order-1" || v.answer.Price != "49.9" || v.answer.Currency != "USD" {
		t.Errorf("%s: %d %s", made, v.status, v.body)
	}
	if v := open(made); v.status != http.StatusOK {
		t.Errorf("opened again: %d %s", v.status, v.body)
	}
	if made, err = runLink("--url", "http://"+s.addr+"/pay", "--order-id", "INV/2024/#1 ü+", "--price", "5"); err != nil { // case 8
		t.Fatal(err)
	}
	if v := open(made); v.status != http.StatusCreated || v.answer.OrderID != "INV/2024/#1 ü+" {
		t.Errorf("%s: %d %s", made, v.status, v.body)
	}
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n ccpayment {\n account b {\n app_id "+appID+"\n app_secret {env.CCPAYMENT_TEST_UNSET}\n }\n }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CCPAYMENT_APP_ID", "other")
	t.Setenv("CCPAYMENT_LINK_SECRET", "the-previous-secret")
	made, err = runLink("--config", config, "--account", "b", "--url", "http://"+s.addr+"/pay", "--order-id", "order-2", "--price", "5",
		"--currency", "EUR", "--coin", "USDT", "--chain", "TRX", "--valid-for", "1h")
	if err != nil {
		t.Fatal(err)
	}
	if v := open(made); v.status != http.StatusCreated || v.answer.Coin != "USDT" || v.answer.Chain != "TRX" || v.answer.Currency != "EUR" || v.answer.Address == "" {
		t.Errorf("%s: %d %s", made, v.status, v.body)
	}

	valid := []string{"--url", "http://shop.example/pay", "--order-id", "order-1", "--price", "1"}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--url", "/pay"}, "--url takes the page"},
		{[]string{"--url", "http://shop.example/pay?price=1"}, "--url has price in it"},
		{[]string{"--order-id", ""}, "--order-id: "},
		{[]string{"--order-id", "order\x7f1"}, "--order-id: "},
		{[]string{"--price", ""}, "--price: "},
		{[]string{"--price", "-1"}, "--price: "},
		{[]string{"--price", "ten"}, "--price: "},
		{[]string{"--currency", ""}, "--currency is empty"},
		{[]string{"--valid-for", "0s"}, "--valid-for"},
		{[]string{"--product", "a\nb"}, "--product has a line break"},
		{[]string{"--return-url", "javascript:alert(1)"}, "--return-url"},
		{[]string{"--coin", "USDT"}, "--coin and --chain"},
		{[]string{"order-1"}, "unexpected argument"},
		{[]string{"--account", "b"}, "--config"},
		{[]string{"--config", config, "--account", "c"}, `account "c" is not configured`},
	} {
		if out, err := runLink(append(slices.Clone(valid), test.args...)...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v %s, want %q", test.args, err, out, test.want)
		}
	}
	t.Setenv("CCPAYMENT_LINK_SECRET", "short")
	if out, err := runLink(valid...); err == nil || !strings.Contains(err.Error(), "CCPAYMENT_LINK_SECRET") || strings.Contains(out+err.Error(), "short") {
		t.Errorf("with a short secret: %v %s", err, out)
	}
}

// TestLinkTampering: a link says what the shop signed, however it is written, and
// nothing else.
func TestLinkTampering(t *testing.T) {
	fields := []string{
		"order_id=order-1", "price=10", "currency=USD", "valid_until=4000000000", "product=A red shirt", "buyer_email=buyer@example.com",
		"return_url=https://shop.example/thanks", "close_url=https://shop.example/cart", "coin=USDT", "chain=TRX",
	}
	signed := link(fields...)
	sig := signed[strings.Index(signed, "sig=")+4:][:64]
	parts := strings.Split(signed, "&")
	slices.Reverse(parts)
	with := func(name, value string) string {
		query, err := url.ParseQuery(signed)
		if err != nil {
			t.Fatal(err)
		}
		query.Set(name, value)
		return query.Encode()
	}
	without := func(name string) string {
		query, _ := url.ParseQuery(signed)
		query.Del(name)
		return query.Encode()
	}
	type test struct {
		query string
		want  int
	}
	tests := map[string]test{
		"as it is":                    {signed, 0},
		"in another order":            {strings.Join(parts, "&"), 0},
		"spaces as %20":               {strings.ReplaceAll(signed, "+", "%20"), 0},
		"letters encoded":             {strings.ReplaceAll(signed, "order-1", "%6frder%2D1"), 0},
		"names encoded":               {strings.ReplaceAll(signed, "price=", "pric%65="), 0},
		"extended":                    {signed + "&utm_source=mail&utm_source=again&fbclid=x", 0},
		"signature in capitals":       {strings.ReplaceAll(signed, sig, strings.ToUpper(sig)), 0},
		"a price of another writing":  {with("price", "10.00"), 403},
		"repeated, the same":          {signed + "&price=10", 403},
		"repeated, empty":             {signed + "&price=", 403},
		"repeated, without a value":   {signed + "&price", 403},
		"repeated, in front":          {"price=1&" + signed, 403},
		"repeated, encoded":           {signed + "&pric%65=1", 403},
		"repeated, not signed before": {link(fields[:4]...) + "&product=x&product=x", 403},
		"two signatures":              {signed + "&sig=" + sig, 403},
		"no signature":                {without("sig"), 403},
		"an empty signature":          {with("sig", ""), 403},
		"half a signature":            {with("sig", sig[:32]), 403},
		"a longer signature":          {with("sig", sig+"00"), 403},
		"no hex":                      {with("sig", strings.Repeat("zz", 32)), 403},
		"another secret":              {linkOf(appID, "secret-of-the-lynx", fields...), 403},
		"the app secret":              {linkOf(appID, secret, fields...), 403},
		"another account":             {linkOf("app-b", linkSecret, fields...), 403},
		"an added field":              {link(fields[:4]...) + "&product=x", 403},
		"capital names":               {strings.ReplaceAll(signed, "price=", "PRICE="), 403},
		"a stranger's bad writing":    {signed + "&utm_campaign=spring;sale&utm_content=50%&x=%zz", 0},
		"a field's bad writing":       {signed + "&price=%zz", 403},
		"a field's, its name encoded": {signed + "&pric%65=1;2", 403},
		"no currency":                 {link("order_id=order-1", "price=10", "valid_until=4000000000"), 403},
		"an empty currency":           {link("order_id=order-1", "price=10", "currency=", "valid_until=4000000000"), 403},
		"no price":                    {link("order_id=order-1", "currency=USD", "valid_until=4000000000"), 403},
		"no order":                    {link("price=10", "currency=USD", "valid_until=4000000000"), 403},
		"a line break":                {link(append(fields[:9:9], "chain=T\nRX")...), 403},
		"a carriage return":           {link(append(fields[:9:9], "chain=T\rRX")...), 403},
		"expired":                     {link("order_id=order-1", "price=10", "currency=USD", "valid_until=1700000000"), 410},
		"expired, and forged":         {strings.ReplaceAll(link("order_id=order-1", "price=10", "currency=USD", "valid_until=1700000000"), "price=10", "price=1"), 403},
		"no end":                      {link("order_id=order-1", "price=10", "currency=USD"), 403},
		"an end in words":             {link("order_id=order-1", "price=10", "currency=USD", "valid_until=never"), 403},
		"nothing":                     {"", 403},
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		tests[name+" changed"] = test{with(name, "9"+value), 403}
		tests[name+" left out"] = test{without(name), 403}
	}
	s := checkoutShop(t, "link_secret "+linkSecret+"\nlimit off", nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				v := s.visit(method, "/pay?"+test.query, "price=1&order_id=x", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
				good := (v.status == 200 || v.status == 201) && v.answer.OrderID == "order-1" && v.answer.Price == "10" && v.answer.Coin == "USDT"
				if good != (test.want == 0) || test.want != 0 && (v.status != test.want || v.answer.CheckoutURL != "") {
					t.Errorf("%s: %d %s, want %d", method, v.status, v.body, test.want)
				}
			}
		})
	}
}
