package ccpayment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// gateway is what the webhook pipeline needs of a payment gateway.
type gateway interface {
	// verify checks that the gateway signed this body, and tells when. The
	// error is, or wraps, client.ErrHeaders or client.ErrSignature. How old the
	// delivery may be is the pipeline's business.
	verify(header http.Header, body []byte, now time.Time) (signedAt time.Time, err error)

	// read reads the event of a verified body. The error wraps errUnreadable.
	read(body []byte) (delivery, error)

	// canConfirm reports whether the gateway has records of the events of a type.
	canConfirm(typ string) bool

	// confirm asks the gateway's own records about an event. A heldError means
	// that a person must look; any other error, to ask again later.
	confirm(ctx context.Context, d delivery, p policy, now time.Time) (confirmation, error)
}

// delivery is what a webhook says.
type delivery struct {
	// activation: the gateway's console tests the URL; there is no event.
	activation bool
	// event has everything but what only the pipeline knows: route, account,
	// and when and how it arrived.
	event ledger.Event
	// coinID is CCPayment's id of the coin; empty where the webhook has none.
	coinID string
}

var errUnreadable = errors.New("the body is not a webhook")

// gatewayV2 is CCPayment's V2 API.
type gatewayV2 struct {
	*credentials
	rsa bool // verify with CCPayment's RSA key instead of the app secret
}

func (g *gatewayV2) verify(header http.Header, body []byte, now time.Time) (time.Time, error) {
	signed, err := client.ReadSignatureHeaders(header)
	if err != nil {
		return time.Time{}, err
	}
	var matches bool
	if g.rsa {
		if _, err := base64.StdEncoding.DecodeString(signed.Sign); err != nil {
			return time.Time{}, fmt.Errorf("%w: Sign is not base64", client.ErrHeaders)
		}
		matches = g.matchesRSA(signed, body)
	} else {
		if !isHMACText(signed.Sign) {
			return time.Time{}, fmt.Errorf("%w: Sign is not 64 hex digits", client.ErrHeaders)
		}
		matches = g.matchesHMAC(signed, body, now)
	}
	// The answer is one and the same; the log tells which it was.
	switch {
	case signed.AppID != g.appID:
		return time.Time{}, fmt.Errorf("%w: the Appid is not ours: compare app_id with CCPayment's console", client.ErrSignature)
	case !matches:
		return time.Time{}, fmt.Errorf("%w: no live secret made it: compare app_secret with CCPayment's console", client.ErrSignature)
	}
	return signed.Time, nil
}

// isHMACText reports whether the text is as long as a signature and all hex.
func isHMACText(sign string) bool {
	if len(sign) != hex.EncodedLen(sha256.Size) {
		return false
	}
	for i := range len(sign) {
		c := sign[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

const activationType = "ActivateWebhookURL"

// deepest is how many levels gjson may check: far more than a webhook has.
const deepest = 1000

func (g *gatewayV2) read(body []byte) (delivery, error) {
	var d delivery
	// gjson's check is the quicker one, and calls itself for each level, however
	// deep a body nests.
	valid := gjson.ValidBytes
	if bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}) > deepest {
		valid = json.Valid
	}
	if !utf8.Valid(body) || !valid(body) {
		return d, fmt.Errorf("%w: not JSON", errUnreadable)
	}
	root := gjson.ParseBytes(body)
	if !root.IsObject() {
		return d, fmt.Errorf("%w: not a JSON object", errUnreadable)
	}
	var typ, msg gjson.Result
	if err := readKeys(root, place{"type", &typ}, place{"msg", &msg}); err != nil {
		return d, err
	}
	if typ.Type != gjson.String || typ.Str == "" {
		return d, fmt.Errorf("%w: type is not a text", errUnreadable)
	}
	m, err := readMessage(msg)
	if err != nil {
		return d, err
	}

	d.activation = typ.Str == activationType
	e := &d.event
	e.AppID, e.Type = g.appID, text(typ)
	e.Status = text(m.status)
	e.Key.Status = strings.ToLower(e.Status)
	e.Risk = riskOf(m.risky)
	e.ReferenceID, e.UserID = text(m.referenceID), text(m.userID)
	e.OrderID = text(m.orderID)
	e.GatewayOrderID = e.OrderID
	d.coinID = text(m.coinID)
	if id := text(m.recordID); id != "" {
		e.Record.ID = id
	} else {
		e.Record.ID = ownRecord(typ.Str, msg, m, body)
	}
	return d, nil
}

// message is the part of msg that is read.
type message struct {
	recordID, orderID, referenceID, userID gjson.Result
	coinID                                 gjson.Result
	status, risky                          gjson.Result
	chainID, address, riskAt               gjson.Result
}

func readMessage(msg gjson.Result) (message, error) {
	var m message
	if !msg.IsObject() {
		return m, nil // a type that is not known may have any shape
	}
	err := readKeys(msg,
		place{"recordId", &m.recordID}, place{"orderId", &m.orderID},
		place{"referenceId", &m.referenceID}, place{"userId", &m.userID}, place{"coinId", &m.coinID},
		place{"status", &m.status}, place{"isFlaggedAsRisky", &m.risky},
		place{"chainId", &m.chainID}, place{"address", &m.address}, place{"riskAt", &m.riskAt})
	return m, err
}

// place is where the value of a key goes.
type place struct {
	key   string
	value *gjson.Result
}

// readKeys reads the keys of an object for which there is a place. A key that
// stands there twice is an error: the app might read the other one.
func readKeys(object gjson.Result, places ...place) error {
	repeated := ""
	object.ForEach(func(key, value gjson.Result) bool {
		for _, p := range places {
			if p.key != key.Str {
				continue
			}
			if p.value.Exists() {
				repeated = key.Str
				return false
			}
			*p.value = value
		}
		return true
	})
	if repeated != "" {
		return fmt.Errorf("%w: %s stands in it twice", errUnreadable, repeated)
	}
	return nil
}

// text returns a value that is a text or a number; others count as absent.
func text(value gjson.Result) string {
	switch value.Type {
	case gjson.String:
		if strings.ContainsRune(value.Str, utf8.RuneError) {
			return value.Raw // an escape that is no character: two such must stay apart
		}
		return value.Str
	case gjson.Number:
		return value.Raw
	default:
		return ""
	}
}

// riskOf reads isFlaggedAsRisky. What is neither true nor false is unknown,
// like a flag that is absent.
func riskOf(value gjson.Result) ledger.Risk {
	switch value.Type {
	case gjson.True:
		return ledger.Risky
	case gjson.False:
		return ledger.NotRisky
	default:
		return ledger.RiskUnknown
	}
}

// ownRecord names the record of an event without recordId. A risky address is
// known by chain, address and time; anything else by all that it says.
func ownRecord(typ string, msg gjson.Result, m message, body []byte) string {
	digest := sha256.New()
	part := func(s string) { fmt.Fprintf(digest, "%d:%s,", len(s), s) }
	part(typ)
	switch {
	case m.address.Exists() && m.riskAt.Exists():
		part(text(m.chainID))
		part(text(m.address))
		part(text(m.riskAt))
	case msg.Exists():
		part(msg.Raw)
	default:
		part(string(body))
	}
	return ledger.OwnRecord(hex.EncodeToString(digest.Sum(nil)))
}
