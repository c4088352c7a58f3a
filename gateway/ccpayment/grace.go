package ccpayment

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// rotation is what files have held, for as long as the process runs: a secret that a
// file's change has replaced has its grace also in a configuration that is loaded
// meanwhile.
type rotation struct {
	mu     sync.Mutex
	secret string // the latest
	graced []previousHMAC
}

// rotations has the rotation of each account whose secrets are in files, by the app id
// and the files. It is the process's, because a reload makes new modules.
var rotations sync.Map

// rotationOf returns the rotation of an account with secrets in files; nil where they
// are not.
func rotationOf(appID string, texts []string) *rotation {
	if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "{file.") }) {
		return nil
	}
	r, _ := rotations.LoadOrStore(strings.Join(append([]string{appID}, texts...), "\x00"), new(rotation))
	return r.(*rotation)
}

// follow has an account keep to a rotation from its first keys on.
func (v *V2) follow(r *rotation) error {
	if v.rotation = r; r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k, now := *v.keys.Load(), v.options.Now()
	old := keys{secret: r.secret, graced: r.graced}
	if r.secret != "" {
		var err error
		if old.current, err = newHMAC(v.info.AccountID, r.secret); err != nil {
			return err
		}
	}
	k.replace(&old, v.options, now)
	v.keys.Store(&k)
	r.secret, r.graced = k.secret, k.graced
	return nil
}

// rotate replaces the keys in use.
func (v *V2) rotate(next *keys) {
	if r := v.rotation; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		defer func() { r.secret, r.graced = next.secret, next.graced }()
	}
	next.replace(v.keys.Load(), v.options, v.options.Now())
	v.keys.Store(next)
}

// replace has the secrets of old go on verifying for the options' grace, but for those
// that are configured.
func (k *keys) replace(old *keys, o gateway.OpenOptions, now time.Time) {
	if o.Grace <= 0 {
		return
	}
	until := now.Add(o.Grace)
	replaced := slices.Clone(old.graced)
	if old.current != nil {
		replaced = append(replaced, previousHMAC{secret: old.secret, key: old.current})
	}
	for _, p := range append(replaced, old.previous...) {
		if k.verifiesWith(p.secret) || p.ended(now) {
			continue
		}
		if p.until.IsZero() || p.until.After(until) {
			p.until = until
		}
		k.graced = append(k.graced, p)
	}
}
