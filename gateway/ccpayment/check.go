package ccpayment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// APIURL implements [gateway.Checker].
func (v *V2) APIURL() string { return v.Client().BaseURL() }

// Check implements [gateway.Checker] by a call that every account may make.
func (v *V2) Check(ctx context.Context) []gateway.Finding {
	const endpoint = "getFiatList"
	_, err := v.Client().Call(ctx, endpoint, nil)
	account := gateway.Finding{Part: "Account", OK: err == nil, Text: fmt.Sprintf("%s may call %s", v.info.AccountID, v.APIURL())}
	var refused *client.Error
	switch {
	case err == nil:
	case errors.As(err, &refused):
		account.Text = fmt.Sprintf("%v: %s", err, refused.Hint())
		if ip := findIP(refused.Msg); errors.Is(err, client.ErrIPNotInWhitelist) && ip != "" {
			account.Text += ": it is " + ip
		}
	default:
		account.Text = fmt.Sprintf("CCPayment cannot be reached for %s: check the network and the base URL (%v)", endpoint, err)
	}
	return []gateway.Finding{account}
}

// findIP returns the first IP address in a text.
func findIP(text string) string {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", r) }) {
		if ip, err := netip.ParseAddr(strings.Trim(word, ".")); err == nil {
			return ip.String()
		}
	}
	return ""
}

// Probe implements [gateway.Checker]: the ping that CCPayment's console sends.
func (v *V2) Probe() gateway.Probe {
	return gateway.Probe{
		Body: []byte(`{"type":"` + ActivationType + `","msg":{}}`), Want: v.info.PingAck.Body,
		IsWanted: func(status int, body []byte) bool {
			var said struct {
				Msg string `json:"msg"`
			}
			return status == http.StatusOK && json.Unmarshal(body, &said) == nil && said.Msg == "Success"
		},
	}
}
