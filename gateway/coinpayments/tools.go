package coinpayments

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client/coinpayments"
	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// SignRequest implements [gateway.RequestSigner]. The client id of a webhook has no
// dashes; that of a call is as it is configured.
func (v *V2) SignRequest(r gateway.SignRequest) ([][2]string, error) {
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if r.URL == "" {
		r.URL = v.options.WebhookURL
	}
	if r.Timestamp == "" {
		r.Timestamp = coinpayments.Timestamp(r.Now)
	}
	credentials := coinpayments.Credentials{ClientID: v.info.AccountID, ClientSecret: v.keys.Load().ring.Current().Secret}
	if strings.HasPrefix(r.URL, v.APIURL()+"/api/") {
		credentials.ClientID = v.Client().ClientID()
	}
	signature := coinpayments.Sign(credentials, strings.ToUpper(r.Method), r.URL, r.Timestamp, r.Body)
	headers := [][2]string{
		{coinpayments.HeaderClient, credentials.ClientID}, {coinpayments.HeaderTimestamp, r.Timestamp}, {coinpayments.HeaderSignature, signature},
	}
	read := make(http.Header)
	for _, h := range headers {
		read.Set(h[0], h[1])
	}
	_, err := coinpayments.ReadSignatureHeaders(read)
	return headers, err
}

// Explain implements [gateway.Explainer]. The client id is signed as it stands in the
// header: where it is not given, both of its forms are tried.
func (v *V2) Explain(w gateway.SignedWebhook, now time.Time) (gateway.Origin, error) {
	ids := []string{v.info.AccountID, v.Client().ClientID()}
	if given := w.Header.Get(coinpayments.HeaderClient); given != "" {
		ids = []string{given}
	}
	signed, err := coinpayments.ReadSignatureHeaders(w.With(coinpayments.HeaderClient, ids[0]))
	if err != nil {
		return gateway.Origin{}, gateway.Tag(gateway.ErrMalformed, err)
	}
	origin := gateway.Origin{SignedAt: signed.Time, AccountID: ids[0], IsOurs: coinpayments.SameID(ids[0], v.info.AccountID)}
	urls := []gateway.PreviousURL{{URL: w.URL}}
	if w.URL == "" {
		urls = append([]gateway.PreviousURL{{URL: v.options.WebhookURL}}, v.options.PreviousWebhookURLs...)
	}
	for _, id := range ids {
		signed.ClientID = id
		for _, hook := range urls {
			for i, k := range v.keys.Load().ring.Configured() {
				if !k.Key.Matches(hook.URL, signed, w.Body) {
					continue
				}
				origin.AccountID, origin.URL, origin.Secret = id, hook.URL, rotation.OptionOf("client_secret", i)
				origin.Ended = rotation.Ended(hook.Until, now) || rotation.Ended(k.Until, now)
				return origin, nil
			}
		}
	}
	return origin, nil
}
