package encoding

import (
	"encoding/json"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// EncodeAnswer returns the value of an answer that is to stand under the key at: JSON,
// which is read seldom, and a checksum.
func EncodeAnswer(at []byte, answer *ledger.Answer) ([]byte, error) {
	value, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to attempt %d: %w", answer.Attempt, err)
	}
	return Seal(at, value), nil
}

// DecodeAnswer reads an answer.
func DecodeAnswer(at, value []byte) (answer ledger.Answer, err error) {
	whole, ok := Unseal(at, value)
	if !ok || json.Unmarshal(whole, &answer) != nil {
		return ledger.Answer{}, ledger.ErrDamaged
	}
	return answer, nil
}
