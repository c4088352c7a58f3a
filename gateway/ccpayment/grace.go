package ccpayment

import (
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
	"github.com/seed-338f6760/caddy-ccpayment/internal/rotation"
)

// Succeed implements [gateway.Rotating]. The account before was this one where it read
// its secret from the same place. What it has replaced keeps its grace, and so does its
// secret, where the file has changed since.
func (v *V2) Succeed(before gateway.Gateway) {
	old, ok := before.(*V2)
	if !ok || v.source == "" || v.source != old.source || v.info.AccountID != old.info.AccountID {
		return
	}
	was, next := old.keys.Load(), *v.keys.Load()
	next.replace(&keys{secret: was.secret, current: was.current, graced: was.graced}, v.options)
	v.keys.Store(&next)
}

// Keys implements [gateway.Rotating]: what verifies webhooks makes keys, too.
func (v *V2) Keys(purpose string) [][]byte {
	k, now := v.keys.Load(), v.options.Now()
	list := [][]byte{v.Key(purpose)}
	for _, p := range slices.Concat(k.previous, k.graced) {
		if !p.ended(now) {
			list = append(list, gateway.DeriveKey(p.secret, v.info.AccountID, purpose))
		}
	}
	return list
}

// replace has the secrets of old go on verifying for the options' grace, but for those
// that do so already.
func (k *keys) replace(old *keys, o gateway.OpenOptions) {
	replaced := slices.Clone(old.graced)
	if old.current != nil {
		replaced = append(replaced, previousHMAC{secret: old.secret, key: old.current})
	}
	replaced = append(replaced, old.previous...)
	of := func(p *previousHMAC) (string, *time.Time) { return p.secret, &p.until }
	k.graced = append(k.graced, rotation.Graced(o, replaced, of, k.verifiesWith)...)
}

// verifiesWith reports whether webhooks of this secret are taken, if only for a while.
func (k *keys) verifiesWith(secret string) bool {
	is := func(p previousHMAC) bool { return p.secret == secret }
	return k.secret == secret || slices.ContainsFunc(k.previous, is) || slices.ContainsFunc(k.graced, is)
}

func (p previousHMAC) ended(now time.Time) bool { return rotation.Ended(p.until, now) }
