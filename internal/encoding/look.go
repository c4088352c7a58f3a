package encoding

import (
	"encoding/json"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// EncodeLook returns the value of a look that is to stand under the key at: JSON, which is
// read seldom, and a checksum.
func EncodeLook(at []byte, look ledger.Look) ([]byte, error) {
	value, err := json.Marshal(look)
	if err != nil {
		return nil, fmt.Errorf("encoding the look at %s: %w", look.AppID, err)
	}
	return Seal(at, value), nil
}

// DecodeLook reads a look.
func DecodeLook(at, value []byte) (look ledger.Look, err error) {
	whole, ok := Unseal(at, value)
	if !ok || json.Unmarshal(whole, &look) != nil {
		return ledger.Look{}, ledger.ErrDamaged
	}
	return look, nil
}
