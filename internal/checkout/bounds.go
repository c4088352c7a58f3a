package checkout

import (
	"errors"
	"fmt"

	"github.com/shopspring/decimal"
)

// Bounds are the smallest and the largest amount that a buyer may name.
type Bounds struct {
	fiat              bool
	min, max          decimal.Decimal
	smallest, largest string // as they were written
}

// ParseBounds checks the bounds of the amount in a form's field.
func ParseBounds(field, smallest, largest string, fiat bool) (Bounds, error) {
	least, errMin := ParsePrice(smallest, fiat)
	most, errMax := ParsePrice(largest, fiat)
	if field == "" || errMin != nil || errMax != nil || most.LessThan(least) {
		return Bounds{}, errors.Join(errors.New("buyer_price takes a field's name, a smallest and a largest amount, both more than zero"), errMin, errMax)
	}
	return Bounds{fiat: fiat, min: least, max: most, smallest: smallest, largest: largest}, nil
}

// Check checks an amount that a buyer named. The error does not quote it: it may stand in
// a page of the shop, where what the buyer wrote must not be.
func (b Bounds) Check(text string) error {
	price, err := ParsePrice(text, b.fiat)
	if err == nil && !price.LessThan(b.min) && !price.GreaterThan(b.max) {
		return nil
	}
	exact := ""
	if b.fiat {
		exact = fmt.Sprintf(" with at most %d decimals", fiatDecimals)
	}
	return fmt.Errorf("name an amount from %s to %s%s, such as %s", b.smallest, b.largest, exact, b.smallest)
}
