package bolt

import (
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

const defaultRetention = 90 * 24 * time.Hour

// Module keeps the ledger in one file on this machine, in the format of bbolt.
// It needs no server beside Caddy, and serves one Caddy process.
type Module struct {
	// The file. Default: `ccpayment/ledger.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// How long bodies of finished events are kept. What recognises a copy of
	// an event is kept for ever. Default: 90d.
	Retain caddy.Duration `json:"retention,omitempty"`

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
	store, err := Open(m.path, Options{Committed: opts.Committed})
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
		case "retention":
			if m.Retain != 0 {
				return d.Err("retention is given twice")
			}
			retention, err := caddy.ParseDuration(value)
			if err != nil {
				return d.Errf("retention: %v", err)
			}
			if retention <= 0 {
				return d.Err("retention must be positive")
			}
			m.Retain = caddy.Duration(retention)
		default:
			return d.Errf("unknown option %q of the bolt store: it has path and retention", option)
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
