package confirm

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/gateway"
)

// ParsePolicy reads the options of a route about confirmed payments, with their defaults.
func ParsePolicy(confirm, risky, late, acceptUnderpaid string) (p Policy, err error) {
	p.HoldRisky, p.NoFlags, p.HoldLate = risky == "hold" && confirm != "off", confirm == "off", late == "hold"
	if risky != "hold" && risky != "forward" {
		return p, fmt.Errorf("unknown risky %q: use hold or forward", risky)
	}
	if late != "fulfill" && late != "hold" {
		return p, fmt.Errorf("unknown late %q: use fulfill or hold", late)
	}
	share, err := decimal.NewFromString(strings.TrimSuffix(acceptUnderpaid, "%"))
	if !shares.MatchString(acceptUnderpaid) || err != nil || share.GreaterThan(decimal.New(50, 0)) {
		return p, fmt.Errorf("accept_underpaid %q is not a share from 0%% to 50%%", acceptUnderpaid)
	}
	p.AcceptUnderpaid = share.Shift(-2)
	return p, nil
}

// shares matches a share as text, with at most six decimals.
var shares = regexp.MustCompile(`^([0-9]{1,2}(\.[0-9]{0,6})?|\.[0-9]{1,6})%$`)

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
