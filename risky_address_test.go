package ccpayment_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// TestCase20_RiskyAddress: the webhook about a risky address is taken as CCPayment's
// reference prints it, without type and msg, and as other webhooks are. Both are one
// event, and the body reaches the app byte for byte.
func TestCase20_RiskyAddress(t *testing.T) {
	const flat = `{ "chainId":"1", "address":"0xF8a0", "riskAt":1710232720 }`
	s := start(t, setup{})
	s.deliver(delivery{body: flat}).wants(t, http.StatusOK)
	got := s.app.wants(t, 1)[0]
	if got.body != flat || got.header.Get("Ccpayment-Type") != "RiskyAddress" || got.header.Get("Ccpayment-Status") != "" {
		t.Errorf("the app got %+v", got)
	}
	for _, body := range []string{flat, `{"type":"RiskyAddress","msg":` + flat + `}`} {
		s.deliver(delivery{body: body}).wants(t, http.StatusOK)
	}
	s.app.wants(t, 1)
	s.deliver(delivery{body: strings.Replace(flat, "710", "711", 1)}).wants(t, http.StatusOK)
	s.app.wants(t, 2)
	for _, body := range []string{
		strings.Replace(flat, "}", `,"address":"0x0"}`, 1), strings.Replace(flat, "}", `,"riskAt":1}`, 1), strings.Replace(flat, "}", `,"chainId":"2"}`, 1),
		`{"chainId":"1","address":"0xF8a0"}`, `{"address":"0xF8a0","riskAt":1,"msg":{}}`, `{"address":"0xF8a0","riskAt":1,"type":null}`, `{}`,
	} {
		s.deliver(delivery{body: body}).wants(t, http.StatusBadRequest)
	}
	s.app.wants(t, 2)
}

// TestCase20_FromTheSandbox: what the sandbox sends is taken in both forms, and with `body
// enriched` the message is where that of other webhooks is.
func TestCase20_FromTheSandbox(t *testing.T) {
	box, c, base := newSandbox(t, 1)
	s := &shop{box: box, c: c}
	s.server = start(t, setup{account: "base_url " + base, confirm: true, site: strings.Replace(storedSite, "confirm off", "body enriched", 1)})
	if err := box.SetWebhookURL("http://" + s.addr + "/hook"); err != nil {
		t.Fatal(err)
	}
	address, err := c.PermanentAddress(t.Context(), client.AddressRequest{ReferenceID: "user-1", Chain: "TRX"})
	if err != nil {
		t.Fatal(err)
	}
	for i, form := range []string{"flat", "envelope"} {
		box.Advance(1e9)
		if err := box.FlagAddress(address.Address, "", form); err != nil {
			t.Fatal(err)
		}
		got := awaitCalls(t, s.server, i+1)[i]
		if got.header.Get("Ccpayment-Type") != "RiskyAddress" ||
			!strings.HasPrefix(got.body, `{"type":"RiskyAddress","msg":{"address":"`+address.Address+`","chainId":"TRX","riskAt":`) {
			t.Errorf("%s: the app got %+v", form, got)
		}
	}
	await(t, "both are acknowledged", func() bool { return len(box.Deliveries()) == 2 })
	for _, d := range box.Deliveries() {
		if !d.OK {
			t.Errorf("%+v", d)
		}
	}
}
