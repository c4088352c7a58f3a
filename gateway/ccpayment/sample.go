package ccpayment

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/ack"
)

// samples are the webhooks that can be made up, with the fields of msg that each has
// beside record, coin and status (API reference, Webhook Payload Examples).
var samples = map[string][]string{
	apiDeposit:     {"orderId", "isFlaggedAsRisky"},
	directDeposit:  {"referenceId", "isFlaggedAsRisky"},
	apiWithdrawal:  {"orderId"},
	userDeposit:    {"userId", "isFlaggedAsRisky"},
	userWithdrawal: {"userId", "orderId"},
	ActivationType: nil,
}

// SampleTypes implements [gateway.Sampler].
func (v *V2) SampleTypes() []string { return slices.Sorted(maps.Keys(samples)) }

// Sample implements [gateway.Sampler]. Copies are the same.
func (v *V2) Sample(s gateway.Sample, now time.Time) (func() []byte, error) {
	type object struct {
		RecordID    string `json:"recordId,omitempty"`
		OrderID     string `json:"orderId,omitempty"`
		ReferenceID string `json:"referenceId,omitempty"`
		UserID      string `json:"userId,omitempty"`
		CoinID      int    `json:"coinId,omitempty"`
		CoinSymbol  string `json:"coinSymbol,omitempty"`
		Status      string `json:"status,omitempty"`
		Risky       *bool  `json:"isFlaggedAsRisky,omitempty"`
	}
	var msg object
	if s.Type != ActivationType {
		msg = object{RecordID: s.RecordID, CoinID: 1280, CoinSymbol: "USDT", Status: s.Status}
		if msg.RecordID == "" {
			msg.RecordID = newRecordID(now)
		}
		if msg.Status == "" {
			msg.Status = string(client.StatusSuccess)
		}
	}
	has := func(field string) bool { return slices.Contains(samples[s.Type], field) }
	if has("orderId") {
		msg.OrderID = s.OrderID
	}
	if has("referenceId") {
		msg.ReferenceID = s.ReferenceID
	}
	if has("userId") {
		msg.UserID = s.UserID
	}
	if has("isFlaggedAsRisky") {
		msg.Risky = &s.Risky
	} else if s.Risky {
		return nil, fmt.Errorf("%s has no risk flag", s.Type)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // some receivers verify over JSON that they write again
	err := encoder.Encode(struct {
		Type string `json:"type"`
		Msg  object `json:"msg"`
	}{s.Type, msg})
	return func() []byte { return bytes.TrimSuffix(body.Bytes(), []byte("\n")) }, err
}

// newRecordID returns an id of the shape of CCPayment's: 32 digits that begin
// with the time.
func newRecordID(now time.Time) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic("no randomness: " + err.Error())
	}
	return now.UTC().Format("20060102150405") + fmt.Sprintf("%018s", n)
}

// Acknowledges implements [gateway.Sampler].
func (v *V2) Acknowledges(status int, body []byte) bool {
	return status == http.StatusOK && ack.Judge(body, "Success") == nil
}
