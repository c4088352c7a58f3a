package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func init() {
	caddy.RegisterModule(Module{})
}

const (
	defaultRetention = 90 * 24 * time.Hour
	defaultWait      = time.Second
	waitStep         = time.Second / 4
)

// Module keeps the ledger in one file on this machine, in the format of bbolt.
// It needs no server beside Caddy, and serves one Caddy process.
type Module struct {
	// The file. Default: `ccpayment/ledger.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// How long bodies of finished events are kept. What recognises a copy of
	// an event is kept for ever. Default: 90d.
	Retain caddy.Duration `json:"retention,omitempty"`

	// How long a start waits for another process that has the file. Default: 1s.
	Wait caddy.Duration `json:"wait,omitempty"`

	path, key string
}

// CaddyModule returns the Caddy module information.
func (Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ccpayment.stores.bolt",
		New: func() caddy.Module { return new(Module) },
	}
}

// Provision resolves the path. It does not touch the file.
func (m *Module) Provision(caddy.Context) error {
	if m.Path == "" {
		m.path = filepath.Join(caddy.AppDataDir(), "ccpayment", "ledger.db")
	} else {
		path, err := caddy.NewReplacer().ReplaceOrErr(m.Path, true, true)
		if err != nil {
			return fmt.Errorf("path: %v", err)
		}
		m.path = path
	}
	path, err := filepath.Abs(m.path)
	if err != nil {
		return fmt.Errorf("path: %v", err)
	}
	m.path = resolve(path)
	m.key = "bolt:" + m.path
	if m.Retain == 0 {
		m.Retain = caddy.Duration(defaultRetention)
	}
	return nil
}

// Validate checks the options.
func (m *Module) Validate() error {
	if m.Retain < 0 {
		return errors.New("retention must be positive")
	}
	if m.Wait < 0 {
		return errors.New("wait must be positive")
	}
	return nil
}

// resolve follows the links in a path of which the end may not exist yet, so
// that two spellings of one file are one key.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

// Key names the file.
func (m *Module) Key() string { return m.key }

// Retention is how long bodies of finished events are kept.
func (m *Module) Retention() time.Duration { return time.Duration(m.Retain) }

// Open opens the file.
func (m *Module) Open(opts ledger.OpenOptions) (ledger.Store, error) {
	began, wait := time.Now(), cmp.Or(time.Duration(m.Wait), defaultWait)
	options := Options{Committed: opts.Committed, LockTimeout: min(wait, defaultWait)}
	store, err := Open(m.path, options)
	if wait > defaultWait && errors.Is(err, errInUse) {
		opts.Logger.Warn("another process has the ledger open: waiting for it to end",
			zap.String("path", m.path), zap.Duration("at_most", wait))
		// In short steps, because Caddy ends no sooner than the start that it is told to end in.
		for errors.Is(err, errInUse) && time.Since(began) < wait && !caddy.Exiting() {
			options.LockTimeout = min(waitStep, wait-time.Since(began))
			store, err = Open(m.path, options)
		}
	}
	if errors.Is(err, errInUse) {
		return nil, fmt.Errorf("%w; this start waited %s for it, see the store's option wait", err, time.Since(began).Round(time.Second/10))
	}
	if err != nil {
		return nil, err
	}
	if store.Created {
		opts.Logger.Warn("began a new, empty ledger: copies of events from before it are not recognised",
			zap.String("path", m.path))
	} else {
		opts.Logger.Info("opened the ledger", zap.String("path", m.path))
	}
	return store, nil
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store bolt {
//		path      <file>
//		retention <duration>
//		wait      <duration>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the store's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		option := d.Val()
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		switch option {
		case "path":
			if m.Path != "" {
				return d.Err("path is given twice")
			}
			m.Path = value
		case "retention", "wait":
			target := &m.Retain
			if option == "wait" {
				target = &m.Wait
			}
			if *target != 0 {
				return d.Errf("%s is given twice", option)
			}
			duration, err := caddy.ParseDuration(value)
			if err != nil {
				return d.Errf("%s: %v", option, err)
			}
			if duration <= 0 {
				return d.Errf("%s must be positive", option)
			}
			*target = caddy.Duration(duration)
		default:
			return d.Errf("unknown option %q of the bolt store: it has path, retention and wait", option)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ caddy.Validator       = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
	_ ledger.Driver         = (*Module)(nil)
)
