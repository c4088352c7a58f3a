package confirm

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// HasRecords reports whether a gateway has records by which any of its events could be
// confirmed.
func HasRecords(info gateway.Info) bool {
	return slices.ContainsFunc(info.Types, func(t gateway.Type) bool { return !t.Unconfirmed })
}

// withoutRecords are the values of a route's options that ask for nothing which only
// confirming can do.
var withoutRecords = map[string]string{"confirm": "off", "stale": "reject", "body": "original"}

// CheckOptions returns an error where an option asks for what only confirming can do, and
// the gateway has no records to confirm events by. The options are those that a route was
// given, by their names and before their defaults; empty: not given.
func CheckOptions(info gateway.Info, given map[string]string) error {
	if HasRecords(info) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if value := given[name]; value != "" && value != withoutRecords[name] {
			return fmt.Errorf("%s %s: %s has no records by which events could be confirmed, leave it out", name, value, info.Title)
		}
	}
	return nil
}
