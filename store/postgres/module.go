package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(Module{})
}

const (
	defaultURL       = "{env.DATABASE_URL}"
	defaultSchema    = "ccpayment"
	defaultRetention = 90 * 24 * time.Hour
	leastConns       = 2
)

// Module keeps the ledger in PostgreSQL, 14 or newer, which several Caddys can share.
type Module struct {
	// The database, as a URL or as the settings that libpq takes. Default:
	// `{env.DATABASE_URL}`.
	URL string `json:"url,omitempty"`

	// The schema that has the ledger's tables; it is made where it is missing.
	// Default: `ccpayment`.
	Schema string `json:"schema,omitempty"`

	// The most connections to the database, besides one that keeps the session and one
	// that listens. Default: 8.
	MaxConns int `json:"max_conns,omitempty"`

	// How long bodies of finished events are kept. What recognises a copy of
	// an event is kept for ever. Default: 90d.
	Retain caddy.Duration `json:"retention,omitempty"`

	// For how many synchronous standbys the server must wait: with fewer Caddy does not
	// start, and takes nothing when they become fewer, which it notices within three
	// seconds. Default: 0.
	Replicas int `json:"replicas,omitempty"`

	// Turns off the notices by which Caddys hear of each other's events at once, which
	// need a connection that stays the same: behind a pooler in transaction mode there
	// is none.
	NoListen bool `json:"no_listen,omitempty"`

	// How soon another Caddy's event is seen where notices cannot come. Default: 1s.
	Poll caddy.Duration `json:"poll,omitempty"`

	url, key string
}

// CaddyModule returns the Caddy module information.
func (Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ccpayment.stores.postgres",
		New: func() caddy.Module { return new(Module) },
	}
}

// Provision resolves the URL. It does not touch the database.
func (m *Module) Provision(caddy.Context) error {
	if m.URL == "" {
		m.URL = defaultURL
	}
	if m.Schema == "" {
		m.Schema = defaultSchema
	}
	if m.MaxConns == 0 {
		m.MaxConns = defaultConns
	}
	if m.Retain == 0 {
		m.Retain = caddy.Duration(defaultRetention)
	}
	if m.Poll == 0 {
		m.Poll = caddy.Duration(defaultPoll)
	}
	url, err := caddy.NewReplacer().ReplaceOrErr(m.URL, true, true)
	if err != nil {
		return fmt.Errorf("url: %v", err)
	}
	m.url = url
	config, err := parse(url)
	if err != nil {
		return err
	}
	// The options that a store is opened with belong to it: one with others, as after a
	// password has changed, is another store on the database.
	options := digestOf(string(keySalt[:]), url, fmt.Sprint(m.MaxConns, m.Replicas, m.NoListen, m.Poll))
	m.key = fmt.Sprintf("postgres:%s/%s#%x", nameOf(config.ConnConfig), m.Schema, options)
	return nil
}

// keySalt keeps what a key has of the password from being found out by trying.
var keySalt = newToken()

// schemaName is what needs no thought anywhere: as a name, and within a text.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,49}$`)

// Validate checks the options.
func (m *Module) Validate() error {
	switch {
	case !schemaName.MatchString(m.Schema):
		return errSchema
	case m.MaxConns < leastConns:
		return fmt.Errorf("max_conns must be at least %d", leastConns)
	case m.Retain < 0:
		return errors.New("retention must be positive")
	case m.Replicas < 0:
		return errors.New("replicas must not be negative")
	case m.Poll < 0:
		return errors.New("poll must be positive")
	}
	return nil
}

// Key names the database: its hosts, its name and the schema, and has a digest of the
// options. It says nothing of a secret.
func (m *Module) Key() string { return m.key }

// Retention is how long bodies of finished events are kept.
func (m *Module) Retention() time.Duration { return time.Duration(m.Retain) }

// Open opens the ledger. A database that is away for now is no error: the store
// connects in the background; see [Open].
func (m *Module) Open(opts ledger.OpenOptions) (ledger.Store, error) {
	store, err := Open(Options{
		URL: m.url, Schema: m.Schema, MaxConns: m.MaxConns, Replicas: m.Replicas, NoListen: m.NoListen,
		Poll: time.Duration(m.Poll), Logger: opts.Logger, Committed: opts.Committed,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store postgres {
//		url       <dsn>
//		schema    <name>
//		max_conns <n>
//		retention <duration>
//		replicas  <n>
//		listen    on | off
//		poll      <duration>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the store's name
	if d.NextArg() {
		return d.ArgErr()
	}
	given := make(map[string]bool)
	for d.NextBlock(0) {
		option := d.Val()
		set, ok := map[string]func(value string) error{
			"url":       func(value string) error { m.URL = value; return nil },
			"schema":    func(value string) error { m.Schema = value; return nil },
			"max_conns": func(value string) error { return setNumber(&m.MaxConns, value, leastConns) },
			"retention": func(value string) error { return setDuration(&m.Retain, value) },
			"replicas":  func(value string) error { return setNumber(&m.Replicas, value, 0) },
			"listen": func(value string) error {
				m.NoListen = value == "off"
				if value != "on" && value != "off" {
					return fmt.Errorf("must be on or off, not %q", value)
				}
				return nil
			},
			"poll": func(value string) error { return setDuration(&m.Poll, value) },
		}[option]
		if !ok {
			return d.Errf("unknown option %q of the postgres store: it has url, schema, max_conns, retention, replicas, listen and poll", option)
		}
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		if given[option] {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := set(value); err != nil {
			return d.Errf("%s %v", option, err)
		}
	}
	return nil
}

func setNumber(target *int, value string, least int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		return fmt.Errorf("must be a number of at least %d, not %q", least, value)
	}
	*target = n
	return nil
}

func setDuration(target *caddy.Duration, value string) error {
	duration, err := caddy.ParseDuration(value)
	if err != nil {
		return err
	}
	if duration <= 0 {
		return errors.New("must be positive")
	}
	*target = caddy.Duration(duration)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.Validator       = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
	_ ledger.Driver         = (*Module)(nil)
)
