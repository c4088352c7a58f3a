package rotation

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// Ring has the secrets whose signatures of webhooks are taken, each with the key that it
// makes: the current one, those that it has replaced as they are configured, and those that
// were replaced while the account was in use, which have a grace. A Ring does not change.
type Ring[K any] struct {
	configured []Key[K] // the current one first
	graced     []Key[K]
}

// Key is a secret with the key that it makes.
type Key[K any] struct {
	Secret string
	Key    K
	Until  time.Time // zero: no end
}

// NewRing returns the ring of a secret and those that it has replaced. The error is that of
// making a key.
func NewRing[K any](current string, previous []Secret, newKey func(secret string) (K, error)) (Ring[K], error) {
	var r Ring[K]
	for _, s := range append([]Secret{{Secret: current}}, previous...) {
		key, err := newKey(s.Secret)
		if err != nil {
			return Ring[K]{}, err
		}
		r.configured = append(r.configured, Key[K]{s.Secret, key, s.Until})
	}
	return r, nil
}

// Current returns the current key.
func (r Ring[K]) Current() Key[K] { return r.configured[0] }

// Configured returns the current key and those that it has replaced, as they are configured,
// also if their end has come.
func (r Ring[K]) Configured() []Key[K] { return r.configured }

// OptionOf names the option that has one of [Ring.Configured], where current is that of the
// current secret.
func OptionOf(current string, i int) string {
	if i == 0 {
		return current
	}
	return fmt.Sprintf("previous_secret %d", i)
}

// Live returns the keys whose signatures are taken at a time, the current one first.
func (r Ring[K]) Live(now time.Time) iter.Seq[K] {
	return func(yield func(K) bool) {
		for _, list := range [...][]Key[K]{r.configured, r.graced} {
			for _, k := range list {
				if !Ended(k.Until, now) && !yield(k.Key) {
					return
				}
			}
		}
	}
}

// Derive derives a key for one purpose of the current secret, and then of the others whose
// signatures are taken now; see [gateway.Rotating].
func (r Ring[K]) Derive(accountID, purpose string, now time.Time) [][]byte {
	var list [][]byte
	for _, k := range slices.Concat(r.configured, r.graced) {
		if !Ended(k.Until, now) {
			list = append(list, gateway.DeriveKey(k.Secret, accountID, purpose))
		}
	}
	return list
}

// Replacing returns the ring that replaces another one of the account while that is in use:
// the other's secrets go on for the options' grace, but for those that do so already. It
// warns where the files of previous secrets are gone.
func (r Ring[K]) Replacing(old Ring[K], o gateway.OpenOptions) Ring[K] {
	WarnGone(o, len(old.configured)-len(r.configured))
	return r.with(slices.Concat(old.graced, old.configured), o)
}

// Succeeding returns the ring as it follows another one of the same account, from the
// configuration before, which has read its secret from the same place: what that has
// replaced keeps its grace, and so does its current secret, where the file has changed since.
func (r Ring[K]) Succeeding(before Ring[K], o gateway.OpenOptions) Ring[K] {
	return r.with(append(slices.Clip(before.graced), before.Current()), o)
}

// with returns the ring with those of the keys in its grace that it lacks, and whose end has
// not come.
func (r Ring[K]) with(replaced []Key[K], o gateway.OpenOptions) Ring[K] {
	if o.Grace <= 0 {
		return r
	}
	now := o.Now()
	last := now.Add(o.Grace)
	r.graced = slices.Clip(r.graced)
	for _, k := range replaced {
		is := func(other Key[K]) bool { return other.Secret == k.Secret }
		if Ended(k.Until, now) || slices.ContainsFunc(r.configured, is) || slices.ContainsFunc(r.graced, is) {
			continue
		}
		if k.Until.IsZero() || k.Until.After(last) {
			k.Until = last
		}
		r.graced = append(r.graced, k)
	}
	return r
}
