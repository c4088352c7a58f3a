package apiclienttest

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// Extend lengthens a text that was hashed with SHA-256, by its hash in hex and its length
// in bytes alone, as an attacker does who has not seen all of it. It returns what stands
// behind the text then, which is the padding of its hash and the suffix, and the hash of
// the whole.
func Extend(t testing.TB, hash string, length int, suffix []byte) (behind []byte, extended string) {
	t.Helper()
	sum, err := hex.DecodeString(hash)
	if err != nil {
		t.Fatal(err)
	}
	const block, lengthSize = 64, 8
	padding := append([]byte{0x80}, make([]byte, (2*block-1-lengthSize-length%block)%block)...)
	padding = binary.BigEndian.AppendUint64(padding, uint64(length)*8)
	// The state of a hash is its sum so far, as package sha256 marshals it.
	state := append([]byte("sha\x03"), sum...)
	state = append(state, make([]byte, block)...)
	state = binary.BigEndian.AppendUint64(state, uint64(length+len(padding)))
	resumed := sha256.New()
	if err := resumed.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	resumed.Write(suffix)
	return bytes.Join([][]byte{padding, suffix}, nil), hex.EncodeToString(resumed.Sum(nil))
}
