package gateway

import (
	"context"
	"net/http"
	"time"
)

// The abilities of this file are those that people's tools need, `caddy ccpayment sign`
// and its like. Nothing that takes payments depends on them.

// RequestSigner is a gateway whose signatures can be made with a secret that the account
// has.
type RequestSigner interface {
	// SignRequest returns the names and values of the headers that sign a request, as
	// [Signer] does. The error is that the timestamp has not the gateway's form.
	SignRequest(r SignRequest) ([][2]string, error)
}

// SignRequest is a request to be signed.
type SignRequest struct {
	// Method and URL are signed by some gateways; see [Info.SignsURL]. Empty: those of a
	// webhook that the gateway sends to the account's webhook URL.
	Method, URL string
	// Timestamp is as the gateway writes it; empty: Now.
	Timestamp string
	Now       time.Time
	Body      []byte
}

// Explainer is a gateway that can tell how a webhook's signature was made, for people who
// look for what is wrong with one.
type Explainer interface {
	RequestSigner
	// Explain finds which of the account's secrets made a signature. The error wraps
	// [ErrMalformed].
	Explain(w SignedWebhook, now time.Time) (Origin, error)
}

// SignedWebhook is a webhook with the headers that sign it.
type SignedWebhook struct {
	// Header lacks the [Info] AccountHeader where it is ours.
	Header http.Header
	// URL is where it was sent, at a gateway that signs that; empty: one of the account's.
	URL  string
	Body []byte
}

// With returns the webhook's headers, with this one where they lack it.
func (w SignedWebhook) With(name, value string) http.Header {
	header := w.Header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if header.Get(name) == "" {
		header.Set(name, value)
	}
	return header
}

// Origin says how a signature was made.
type Origin struct {
	// SignedAt is the time that is signed; zero: the gateway signs none.
	SignedAt time.Time
	// AccountID is the account that was signed for, and IsOurs whether it is ours.
	AccountID string
	IsOurs    bool
	// Secret names the option whose secret made the signature; empty: it is none of the
	// account's.
	Secret string
	// URL is the URL that was signed, at a gateway that signs it.
	URL string
	// Ended: the secret or the URL is one that verifies webhooks no more.
	Ended bool
}

// Sampler is a gateway whose webhooks can be made up, to try a receiver with.
type Sampler interface {
	RequestSigner
	// SampleTypes returns the types of webhooks that Sample makes, in alphabetical order.
	SampleTypes() []string
	// Sample returns a function that writes the body of a webhook: of another copy each
	// time, which may differ. The error says which field of s does not suit the type.
	Sample(s Sample, now time.Time) (write func() []byte, err error)
	// Acknowledges reports whether a response acknowledges a webhook to the gateway.
	Acknowledges(status int, body []byte) bool
}

// Sample describes a webhook. What the type does not have is not in it.
type Sample struct {
	Type string
	// RecordID names the record; empty: a new one.
	RecordID string
	// Status is as the gateway writes it; empty: the usual one of the type.
	Status                       string
	OrderID, ReferenceID, UserID string
	Risky                        bool
}

// Checker is a gateway that says how an account is doing.
type Checker interface {
	RequestSigner
	// APIURL returns where the account's API is.
	APIURL() string
	// Check looks at the account by API calls that change nothing.
	Check(ctx context.Context) []Finding
	// Probe returns a webhook that is no event.
	Probe() Probe
}

// Finding is what was found of one part of an account.
type Finding struct {
	Part string
	OK   bool
	// Unknown: it cannot be looked at, which is no mistake.
	Unknown bool
	// Text says what was found, and what to do where it is not OK.
	Text string
}

// Probe is a webhook by which a receiver is looked at.
type Probe struct {
	Body []byte
	// Want says how ccpayment_webhook answers it, and IsWanted whether a response is that.
	Want     string
	IsWanted func(status int, body []byte) bool
}
