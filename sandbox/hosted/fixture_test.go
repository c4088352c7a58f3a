package hosted_test

import (
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

var now = time.Date(2026, 3, 4, 12, 0, 5, 0, time.UTC)

const address = "TAkmn3f8bgwMAwdVrGfUVSRg4W2XwqgHGc"

func order(state hosted.State) hosted.Checkout {
	return hosted.Checkout{
		Shop: "Blackbird Coffee", OrderID: "bb-2026-00417", Product: "Two bags of Ethiopia Guji", Price: "24.90 USD",
		State: state, Now: now, ExpiresAt: now.Add(14*time.Minute + 9*time.Second),
		Due: &hosted.Due{Amount: "24.912456", Coin: "USDT", Network: "Tron", NetworkSymbol: "TRX", Address: address, ChangeURL: "/i/tok?change=1"},
		Controls: &hosted.Controls{
			Action: "/i/tok/pay", Exact: "24.912456 USDT", Less: "12.456228 USDT", More: "29.912456 USDT", WrongCoin: "24.912456 TRX", Risky: "flagged address",
			Options: []hosted.Option{{Value: "1280/TRX", Label: "USDT on Tron", Selected: true}, {Value: "1482/TRX", Label: "TRX on Tron"}},
		},
		ReturnURL: "https://shop.example/thanks?order=1", CloseURL: "https://shop.example/basket",
	}
}

func payment(status hosted.PaymentStatus) hosted.Payment {
	return hosted.Payment{
		Amount: "24.912456", Coin: "USDT", Network: "Tron", Status: status, At: now.Add(-time.Minute),
		TxID:     "9f2c1b7c55f04d0aa4b2d3e1c6f7890123456789abcdef0123456789abcdef01",
		RecordID: "20260304115905123456789012345678",
	}
}

// pages is one of each kind of checkout page.
func pages() map[string]hosted.Checkout {
	picker := order(hosted.Waiting)
	picker.Due = nil
	picker.Controls = nil
	picker.Picker = &hosted.Picker{Action: "/i/tok/coin", Coins: []hosted.Coin{
		{Symbol: "USDT", Name: "Tether USD", Amount: "≈ 24.91", Networks: []hosted.Network{{Value: "1280/TRX", Name: "Tron", Selected: true}, {Value: "1280/ETH", Name: "Ethereum"}, {Value: "1280/BSC", Name: "BNB Smart Chain"}}},
		{Symbol: "BTC", Name: "Bitcoin", Amount: "≈ 0.00039212", Networks: []hosted.Network{{Value: "1/BTC", Name: "Bitcoin"}}},
		{Symbol: "ETH", Name: "Ether", Amount: "≈ 0.0091", Networks: []hosted.Network{{Value: "2/ETH", Name: "Ethereum"}}},
		{Symbol: "TRX", Name: "Tron", Amount: "≈ 88.2", Networks: []hosted.Network{{Value: "1482/TRX", Name: "Tron"}}},
		{Symbol: "XRP", Name: "XRP", Amount: "≈ 11.4", Networks: []hosted.Network{{Value: "3/XRP", Name: "XRP Ledger"}}},
	}}
	all := map[string]hosted.Checkout{"picker": picker}
	for _, state := range []hosted.State{
		hosted.Waiting, hosted.Processing, hosted.PartlyPaid, hosted.Paid,
		hosted.Overpaid, hosted.InReview, hosted.Expired, hosted.Failed, hosted.Cancelled,
	} {
		c := order(state)
		switch state {
		case hosted.Waiting:
			c.Refresh = 10 * time.Second
		case hosted.Processing:
			p := payment(hosted.PaymentProcessing)
			p.Confirmations, p.ConfirmationsNeeded = 7, 20
			c.Payments, c.Refresh = []hosted.Payment{p}, 2*time.Second
		case hosted.PartlyPaid:
			p := payment(hosted.PaymentSuccess)
			p.Amount, c.Due.Amount = "10", "14.912456"
			c.Payments, c.Received, c.Total, c.ReceivedPercent = []hosted.Payment{p}, "10 USDT", "24.912456 USDT", 40
		case hosted.Paid:
			c.Payments = []hosted.Payment{payment(hosted.PaymentSuccess)}
		case hosted.Overpaid:
			late := payment(hosted.PaymentSuccess)
			late.Amount, late.Late = "5", true
			c.Payments = []hosted.Payment{late, payment(hosted.PaymentSuccess)}
			c.Received, c.Total, c.ReceivedPercent, c.Excess = "29.912456 USDT", "24.912456 USDT", 100, "5 USDT"
		case hosted.InReview:
			p, q := payment(hosted.PaymentSuccess), payment(hosted.PaymentSuccess)
			p.Risky, q.WrongCoin, q.Coin = true, true, "TRX"
			c.Payments = []hosted.Payment{p, q}
		case hosted.Expired:
			c.ExpiresAt = now.Add(-time.Minute)
		case hosted.Failed:
			c.Payments = []hosted.Payment{payment(hosted.PaymentFailed)}
		}
		all[string(state)] = c
	}

	long := order(hosted.Waiting)
	long.Shop, long.Price = "", "0.012345678901234567 ETH"
	long.OrderID = "an-order-id-as-long-as-they-come-0123456789-0123456789-012345678"
	long.Product = "Averylongproductnamewithoutanyspacesinitthatnobodyshouldeverwritebutsomebodywillandtheninahundredandtwentycharacters-end"
	long.Due.Amount, long.Due.Coin, long.Due.Memo = "1234567.012345678901234567", "WSTETH", "5f3f1a8e-1c2b-4d5e-8f90-1234567890ab"
	long.Due.Address = "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x"
	long.ExpiresAt = now.Add(9*24*time.Hour + 23*time.Hour)
	long.Controls.Exact, long.Controls.Less = "1234567.012345678901234567 WSTETH", "0.000000000000000001 WSTETH"
	long.Controls.Amount, long.Controls.Error = "12,5", "Write the amount with a point: 12.5"
	all["long"] = long
	return all
}

func overview() hosted.Overview {
	return hosted.Overview{
		Gateways: []hosted.Gateway{
			{
				Name: "CCPayment", IDName: "App id", ID: "sandbox-7f3a9c", SecretName: "App secret",
				APIURL: "http://127.0.0.1:9580/ccpayment/v2/", WebhookURL: "http://localhost:8080/webhooks/ccpayment",
				Caddyfile: "{\n\tccpayment {\n\t\tapp_id     {env.CCPAYMENT_APP_ID}\n\t\tapp_secret {env.CCPAYMENT_APP_SECRET}\n\t\tendpoint   http://127.0.0.1:9580/ccpayment/v2/\n\t}\n}\n",
			},
			{
				Name: "CoinPayments", IDName: "Client id", ID: "dc6a16e545c34187ba21a9edbbe484a5", SecretName: "Client secret",
				APIURL: "http://127.0.0.1:9580/coinpayments", Webhooks: "where each invoice says",
				Caddyfile: "{\n\tccpayment {\n\t\tgateway coinpayments {\n\t\t\tbase_url http://127.0.0.1:9580/coinpayments\n\t\t}\n\t}\n}\n",
			},
		},
		Now: now,
		Orders: []hosted.Order{
			{OrderID: "bb-2026-00417", Product: "Two bags of Ethiopia Guji", Price: "24.90 USD", State: hosted.Processing, CreatedAt: now, PageURL: "/i/tok"},
			{Gateway: "CoinPayments", OrderID: "bb-2026-00416", Product: "Grinder", Price: "189.00 EUR", State: hosted.Paid, CreatedAt: now.Add(-time.Hour), PageURL: "https://pay.example/c/other"},
			{OrderID: "bb-2026-00415", Price: "0.5 ETH", State: hosted.InReview, CreatedAt: now.Add(-2 * time.Hour)},
		},
		Deliveries: []hosted.Delivery{
			{Gateway: "CCPayment", Type: "ApiDeposit", Status: "Processing", OrderID: "bb-2026-00417", RecordID: "20260304115905123456789012345678", At: now, Attempt: 2, HTTPStatus: 502, Problem: "The answer was 502, not 200 with Success", NextRetry: now.Add(time.Minute)},
			{Type: "ApiDeposit", Status: "Success", OrderID: "bb-2026-00416", RecordID: "20260304115905123456789012345679", At: now, Attempt: 1, HTTPStatus: 200, Acknowledged: true},
			{Type: "DirectDeposit", Status: "Success", RecordID: "20260304115905123456789012345680", At: now, Attempt: 7, Problem: "Connection refused"},
		},
	}
}

// serve answers /{page} with one of the pages, /overview, /empty and /error;
// posts are given to paid and answered as the sandbox does, with 303.
func serve(pages map[string]hosted.Checkout, paid func(*http.Request)) *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle("GET "+hosted.AssetsPath, hosted.Assets())
	mux.HandleFunc("GET /overview", func(w http.ResponseWriter, _ *http.Request) { _ = hosted.WriteOverview(w, overview()) })
	mux.HandleFunc("GET /empty", func(w http.ResponseWriter, _ *http.Request) {
		_ = hosted.WriteOverview(w, hosted.Overview{Gateways: overview().Gateways})
	})
	mux.HandleFunc("GET /error", func(w http.ResponseWriter, _ *http.Request) {
		_ = hosted.WriteError(w, hosted.Error{Status: http.StatusNotFound, Title: "No such checkout", Message: "The sandbox forgets its orders when it stops. Create the order again."})
	})
	mux.HandleFunc("GET /{page}", func(w http.ResponseWriter, r *http.Request) {
		if c, known := pages[r.PathValue("page")]; known {
			_ = hosted.WriteCheckout(w, http.StatusOK, c)
			return
		}
		_ = hosted.WriteError(w, hosted.Error{Status: http.StatusNotFound})
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		paid(r)
		http.Redirect(w, r, "/processing", http.StatusSeeOther)
	})
	return httptest.NewServer(mux)
}
