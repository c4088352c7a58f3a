package ccpayment

import (
	"cmp"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// credentials are an account's secrets and keys, with every placeholder
// resolved. They are never part of the configuration that can be read.
type credentials struct {
	appID       string
	orderPrefix string
	current     *client.HMAC
	previous    []previousHMAC
	webhookKey  *rsa.PublicKey
	webhookURL  string // where orders made here have their webhooks sent
	statusKey   []byte // of the tokens of ccpayment_status
	api         *client.Client
	reads       *apiReads // of api
	// apiBudget is how long all that is asked about one event may take.
	apiBudget time.Duration
}

type previousHMAC struct {
	key   *client.HMAC
	until time.Time // zero: no end
}

func (p previousHMAC) ended(now time.Time) bool { return !p.until.IsZero() && now.After(p.until) }

// newCredentials resolves an account by its name, which is empty for the default
// one. Only that falls back to the environment's names: two accounts with one
// secret are a mistake.
func newCredentials(account *Account, name string, connections *http.Client) (*credentials, error) {
	appID, appSecret := account.AppID, account.AppSecret
	if name == "" {
		if appID == "" {
			appID = "{env.CCPAYMENT_APP_ID}"
		}
		if appSecret == "" {
			appSecret = "{env.CCPAYMENT_APP_SECRET}"
		}
	}
	repl := caddy.NewReplacer()
	var c credentials
	var err error
	if c.appID, err = required(repl, "app_id", appID); err != nil {
		return nil, err
	}
	secret, err := required(repl, "app_secret", appSecret)
	if err != nil {
		return nil, err
	}
	if c.current, err = client.NewHMAC(client.Credentials{AppID: c.appID, AppSecret: secret}); err != nil {
		return nil, err
	}
	for _, p := range account.PreviousSecrets {
		previous, err := newPreviousHMAC(repl, c.appID, p)
		if err != nil {
			return nil, fmt.Errorf("previous_secret: %v", err)
		}
		c.previous = append(c.previous, previous)
	}
	if c.orderPrefix, err = optional(repl, "order_prefix", account.OrderPrefix); err != nil {
		return nil, err
	}
	if c.webhookURL, err = optional(repl, "webhook_url", account.WebhookURL); err != nil {
		return nil, err
	}
	if err := checkURL("webhook_url", c.webhookURL); err != nil {
		return nil, err
	}
	c.statusKey = deriveKey(secret, c.appID, "status")
	file, err := optional(repl, "webhook_key", account.WebhookKey)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if c.webhookKey, err = readPublicKey(file); err != nil {
			return nil, fmt.Errorf("webhook_key: %v", err)
		}
	}
	return &c, c.connect(repl, account, name, secret, connections)
}

// defaultAPITimeout is that of the client.
const defaultAPITimeout = 10 * time.Second

// connect makes the account's API client. It calls nobody.
func (c *credentials) connect(repl *caddy.Replacer, account *Account, name, secret string, connections *http.Client) error {
	timeout := time.Duration(account.APITimeout)
	if timeout < 0 {
		return errors.New("api_timeout must be positive")
	}
	timeout = cmp.Or(timeout, defaultAPITimeout)
	c.apiBudget = 4 * timeout // an order of unknown kind takes three calls, one after the other
	options := []client.Option{client.WithTimeout(timeout), client.WithObserver(observeAPI(name))}
	if connections != nil {
		options = append(options, client.WithHTTPClient(connections))
	}
	base, err := optional(repl, "base_url", account.BaseURL)
	if err != nil {
		return err
	}
	if base != "" {
		options = append(options, client.WithBaseURL(base))
	}
	file, err := optional(repl, "private_key", account.PrivateKey)
	if err != nil {
		return err
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("private_key: %v", err)
		}
		key, err := client.ParsePrivateKey(text)
		if err != nil {
			return fmt.Errorf("private_key: %s: %v", file, err)
		}
		options = append(options, client.WithPrivateKey(key))
	}
	c.api, err = client.New(client.Credentials{AppID: c.appID, AppSecret: secret}, options...)
	if err != nil {
		return err
	}
	c.reads = newAPIReads(c.api)
	return nil
}

func newPreviousHMAC(repl *caddy.Replacer, appID string, p PreviousSecret) (previousHMAC, error) {
	secret, err := required(repl, "secret", p.Secret)
	if err != nil {
		return previousHMAC{}, err
	}
	key, err := client.NewHMAC(client.Credentials{AppID: appID, AppSecret: secret})
	if err != nil {
		return previousHMAC{}, err
	}
	text, err := optional(repl, "until", p.Until)
	if err != nil || text == "" {
		return previousHMAC{key: key}, err
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return previousHMAC{}, fmt.Errorf("the end %q is not a time like 2026-01-31T12:00:00Z", text)
	}
	return previousHMAC{key: key, until: until}, nil
}

// required resolves a text that must not be empty.
func required(repl *caddy.Replacer, name, text string) (string, error) {
	value, err := optional(repl, name, text)
	if err == nil && value == "" {
		err = fmt.Errorf("%s is empty", name)
	}
	return value, err
}

// optional resolves a text that may be absent. A placeholder that resolves to
// nothing is an error: it was meant to hold something.
func optional(repl *caddy.Replacer, name, text string) (string, error) {
	value, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %v", name, err)
	}
	value = strings.TrimSpace(value)
	if text != "" && value == "" {
		return "", fmt.Errorf("%s is blank", name)
	}
	return value, nil
}

// matchesHMAC reports whether any live secret made the signature. All are
// tried, whichever matches.
func (c *credentials) matchesHMAC(signed client.SignatureHeaders, body []byte, now time.Time) bool {
	matches := c.current.Matches(signed.Timestamp, body, signed.Sign)
	for _, p := range c.previous {
		if p.ended(now) {
			continue
		}
		matches = p.key.Matches(signed.Timestamp, body, signed.Sign) || matches
	}
	return matches
}

// matchesRSA reports whether CCPayment's private key made the signature:
// RSASSA-PKCS1-v1_5 over SHA-256, in standard base64.
func (c *credentials) matchesRSA(signed client.SignatureHeaders, body []byte) bool {
	signature, err := base64.StdEncoding.DecodeString(signed.Sign)
	if err != nil {
		return false
	}
	text := sha256.New()
	text.Write([]byte(c.appID + signed.Timestamp))
	text.Write(body)
	return rsa.VerifyPKCS1v15(c.webhookKey, crypto.SHA256, text.Sum(nil), signature) == nil
}

func readPublicKey(file string) (*rsa.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s has no PEM block", file)
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no public key (PKIX or PKCS #1): %v", file, err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, not an RSA key", file, key)
	}
	return public, nil
}

// appSigner signs what is handed to the app, so that the app can verify where
// it comes from. It returns the headers for one attempt.
type appSigner func(eventID string, now time.Time, body []byte) []headerField

// headerField is a header that we set, under its canonical name.
type headerField struct{ name, value string }

// signAsGateway signs as CCPayment does, for apps that verify by themselves.
func signAsGateway(c *credentials) appSigner {
	return func(_ string, now time.Time, body []byte) []headerField {
		timestamp := strconv.FormatInt(now.Unix(), 10)
		return []headerField{
			{"Appid", c.appID},
			{"Timestamp", timestamp},
			{"Sign", c.current.Sign(timestamp, body)},
		}
	}
}

// signAsStandard signs by Standard Webhooks v1, with every secret given, so
// that an app can move from one to the next.
func signAsStandard(secrets ...string) (appSigner, error) {
	var keys [][]byte
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return nil, errors.New("a Standard Webhooks secret is base64, with or without whsec_ in front")
		}
		if len(key) < 24 || len(key) > 64 {
			return nil, fmt.Errorf("a Standard Webhooks secret has 24 to 64 bytes, not %d: make one with `openssl rand -base64 32`", len(key))
		}
		keys = append(keys, key)
	}
	return func(eventID string, now time.Time, body []byte) []headerField {
		timestamp := strconv.FormatInt(now.Unix(), 10)
		signatures := make([]string, len(keys))
		for i, key := range keys {
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.", eventID, timestamp)
			mac.Write(body)
			signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		}
		return []headerField{
			{"Webhook-Id", eventID},
			{"Webhook-Timestamp", timestamp},
			{"Webhook-Signature", strings.Join(signatures, " ")},
		}
	}, nil
}
