package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func account(prefix string) *Account {
	return &Account{OrderPrefix: prefix, Info: Info{AccountID: "app-123", Limits: Limits{ShortestOrderID: 3, LongestOrderID: 48}}}
}

// TestCase08_GatewayOrderID: what the gateway takes goes there as it is. Anything else
// has a stand-in, which never changes: the orders at the gateway are found by it.
func TestCase08_GatewayOrderID(t *testing.T) {
	const plain48 = "abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJKLMNOPQRST."
	for _, test := range []struct{ prefix, own, want string }{
		{"", "order-1", "order-1"},
		{"", "a:b", "a:b"},
		{"", plain48, plain48},
		{"shop-", "7", "shop-7"},
		{"", "x.order", "x.order"},
		{"", "7", "x.pebgtg7efsfi4rx3xncqc4tfc7"},
		{"shop-", plain48, "shop-x.ieh2dibzvutidzfpoq6wopxmfv"},
		{"shop-", "#1001", "shop-x.rvlqwhmpoqzpuqrm4cde3jp4xz"},
		{"", "x.rvlqwhmpoqzpuqrm4cde3jp4xz", "x.tww33yxlllyzoo5p77slt5roqu"},
		{"", "x.rvlqwhmpoqzpuqrm4cde3jp4xz-abcdefghij", "x.sw4rahjqlqlj3tevqqmoamvbpt"},
		{"", "order-1-abcdefghij", "x.rby5iggmpymbmbuombomwokp2h"},
		{"shop-", "order-1-abcdefghij", "shop-x.rby5iggmpymbmbuombomwokp2h"},
		{"shop-", "abcdefghij", "shop-abcdefghij"},
		{"", "order-1-abcdefghi", "order-1-abcdefghi"},
		{"", "order-1-abcdefghi1", "order-1-abcdefghi1"},
		{"", "order-1-Abcdefghij", "order-1-Abcdefghij"},
	} {
		a := account(test.prefix)
		got, err := a.GatewayOrderID(test.own)
		if err != nil || got != test.want {
			t.Errorf("%q behind %q: %q, %v, want %q", test.own, test.prefix, got, err, test.want)
		}
		stands := got != test.prefix+test.own
		if a.IsStandIn(got) != stands || a.IsStandIn(got+"-abcdefghij") != stands {
			t.Errorf("%q stands for another: %t", got, !stands)
		}
		if ids := a.OrderIDs(test.own); ids[0] != (ledger.OrderID{AppID: "app-123", ID: test.want}) {
			t.Errorf("%q is known as %+v", test.own, ids)
		}
	}
	if ids := account("").OrderIDs("x.rvlqwhmpoqzpuqrm4cde3jp4xz"); len(ids) != 1 {
		t.Errorf("another's stand-in names its order: %+v", ids)
	}
	if account("shop-").IsStandIn("x.rvlqwhmpoqzpuqrm4cde3jp4xz") {
		t.Error("without the prefix it is another shop's")
	}
}

// TestCase08_NoRoom: an id that has no room behind the prefix says why.
func TestCase08_NoRoom(t *testing.T) {
	if _, err := account(strings.Repeat("p", 20)).GatewayOrderID("#7"); err != nil {
		t.Error(err)
	}
	_, err := account(strings.Repeat("p", 21)).GatewayOrderID("#7")
	const want = `order_id: "#7" is not 3 to 48 letters, digits and _ . : - with order_prefix in front, and order_prefix, of 21 characters, leaves no room for an id that stands for it: shorten order_prefix to 20`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestApart: of two accounts that are one merchant's, no order may be both's.
func TestApart(t *testing.T) {
	for _, c := range []struct{ a, b, warning, failure string }{
		{"shop-", "blog-", "", ""},
		{"shop-a-", "shop-b-", "", ""},
		{"shop-", "shop-b-", "", `account "a" and account "b" are one account at Pay, and order_prefix shop-b- begins with the other's, shop-: `},
		{"shop-b-", "shop-", "", `account "b" and account "a" are one account at Pay, and order_prefix shop-b- begins with the other's, shop-: `},
		{"", "shop-", `account "a" and account "b" are one account at Pay, and account "a" has no order_prefix: `, ""},
		{"shop-", "", `account "b" and account "a" are one account at Pay, and account "b" has no order_prefix: `, ""},
		{"", "", "have the same order_prefix, or none: ", ""},
		{"shop-", "shop-", "have the same order_prefix, or none: ", ""},
	} {
		a := &Account{Name: "a", Info: Info{AccountID: "1", Title: "Pay"}, OrderPrefix: c.a}
		b := &Account{Name: "b", Info: a.Info, OrderPrefix: c.b}
		for _, pair := range [][2]*Account{{a, b}, {b, a}} {
			warning, err := pair[0].Apart(pair[1])
			if (err == nil) != (c.failure == "") || err != nil && !strings.HasPrefix(err.Error(), c.failure) ||
				(warning == "") != (c.warning == "") || !strings.Contains(warning, c.warning) {
				t.Errorf("%q and %q: %q, %v", c.a, c.b, warning, err)
			}
		}
		if c.warning == "have the same order_prefix, or none: " {
			a.Info.ByDefault = true
			if warning, err := a.Apart(b); warning == "" || err != nil {
				t.Errorf("%q and %q, one by default: %q, %v", c.a, c.b, warning, err)
			}
			b.Info.ByDefault = true
			if _, err := a.Apart(b); err == nil || !strings.Contains(err.Error(), "by the credentials of the environment") {
				t.Errorf("%q and %q, both by default: %v", c.a, c.b, err)
			}
		}
		b.Info.AccountID = "2"
		if warning, err := a.Apart(b); warning != "" || err != nil {
			t.Errorf("other merchants: %q, %v", warning, err)
		}
	}
}

// TestGenerations: an app's id is never that of a generation, and each generation is known
// by its first.
func TestGenerations(t *testing.T) {
	a := account("shop-")
	for _, own := range []string{"order-1", "order-1-abcdefghij", "#1001"} {
		first, err := a.GatewayOrderID(own)
		if err != nil {
			t.Fatal(err)
		}
		if of, ok := a.FirstOf(first); ok {
			t.Errorf("%q may be a generation of %q", first, of)
		}
		generation := NewGeneration(first)
		if of, ok := a.FirstOf(generation); !ok || of != first {
			t.Errorf("%q is a generation of %q, %t, want %q", generation, of, ok, first)
		}
		if _, ok := account("other-").FirstOf(generation); ok {
			t.Error("without the prefix it is another shop's")
		}
		taken, err := a.GatewayOrderID(strings.TrimPrefix(generation, "shop-"))
		if err != nil || taken == generation {
			t.Errorf("an app's order is called %q, %v", taken, err)
		}
	}
	// One that was made before generations had stand-ins is found under its own id.
	if ids := a.OrderIDs("order-1-abcdefghij"); len(ids) != 2 || ids[1].ID != "shop-order-1-abcdefghij" {
		t.Errorf("%+v", ids)
	}
	// Without room for a stand-in the app's id stays what it was.
	long := account(strings.Repeat("p", 21))
	if id, err := long.GatewayOrderID("order-1-abcdefghij"); err != nil || id != long.OrderPrefix+"order-1-abcdefghij" {
		t.Errorf("%q, %v", id, err)
	}
}

// TestSharedOrders: an order that accounts share has one id at all of them, and is found by
// those that it had at each before.
func TestSharedOrders(t *testing.T) {
	a, b, alone := account("a-"), account("b-"), account("c-")
	a.Name, a.Orders = "a", "shop"
	b.Name, b.Orders, b.Info.AccountID = "b", "shop", "app-456"
	ShareOrders([]*Account{b, alone, a})
	if len(a.Peers) != 1 || a.Peers[0] != b || len(b.Peers) != 1 || b.Peers[0] != a || len(alone.Peers) != 0 {
		t.Errorf("the peers are %v, %v, %v", a.Peers, b.Peers, alone.Peers)
	}
	own := func(appID, id string) ledger.OrderID { return ledger.OrderID{AppID: appID, ID: id} }
	shared := ledger.SharedOrder("shop", "order-1")
	if got, want := a.OrderIDs("order-1"), []ledger.OrderID{shared, own("app-123", "a-order-1"), own("app-456", "b-order-1")}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := b.OrderIDs("order-1"), []ledger.OrderID{shared, own("app-456", "b-order-1"), own("app-123", "a-order-1")}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if a.Member("app-456") != b || a.Member("app-123") != a || a.Member("app-789") != nil {
		t.Error("the accounts of the group are not found by their ids")
	}
}
