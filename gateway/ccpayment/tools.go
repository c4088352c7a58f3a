package ccpayment

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// SignRequest implements [gateway.RequestSigner]. Method and URL are not signed.
func (v *V2) SignRequest(r gateway.SignRequest) ([][2]string, error) {
	if r.Timestamp == "" {
		r.Timestamp = strconv.FormatInt(r.Now.Unix(), 10)
	}
	sign := v.keys.Load().ring.Current().Key.Sign(r.Timestamp, r.Body)
	_, err := client.ReadSignatureHeaders(http.Header{headerAppID: {v.info.AccountID}, headerTimestamp: {r.Timestamp}, headerSign: {sign}})
	return [][2]string{{headerAppID, v.info.AccountID}, {headerTimestamp, r.Timestamp}, {headerSign, sign}}, err
}

// Explain implements [gateway.Explainer].
func (v *V2) Explain(w gateway.SignedWebhook, now time.Time) (gateway.Origin, error) {
	signed, err := client.ReadSignatureHeaders(w.With(headerAppID, v.info.AccountID))
	if err != nil {
		return gateway.Origin{}, gateway.Tag(gateway.ErrMalformed, err)
	}
	origin := gateway.Origin{SignedAt: signed.Time, AccountID: signed.AppID, IsOurs: signed.AppID == v.info.AccountID}
	for i, k := range v.keys.Load().ring.Configured() {
		if k.Key.Matches(signed.Timestamp, w.Body, signed.Sign) {
			origin.Secret, origin.Ended = rotation.OptionOf("app_secret", i), rotation.Ended(k.Until, now)
			break
		}
	}
	return origin, nil
}
