package engine

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"regexp"
	"strings"
)

const (
	base58Bitcoin = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	base58Ripple  = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
	bech32Letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// FamilyEVM are the chains of Ethereum's kind, which share their addresses.
const FamilyEVM = "EVM"

// legacy are the versions of base 58 addresses on chains of Bitcoin's kind.
var legacy = map[string]byte{"LTC": 0x30, "LTCT": 0x6f, "DOGE": 0x1e}

var evmAddress = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// NewTxID makes a transaction hash.
func NewTxID() string { return hex.EncodeToString(randomBytes(32)) }

// NewAddress makes an address that nobody owns and that wallets would accept
// as one of the family's.
func NewAddress(family string) string {
	if version, ok := legacy[family]; ok {
		return base58Check(base58Bitcoin, append([]byte{version}, randomBytes(20)...))
	}
	switch family {
	case FamilyEVM:
		return "0x" + hex.EncodeToString(randomBytes(20))
	case "TRX":
		return base58Check(base58Bitcoin, append([]byte{0x41}, randomBytes(20)...))
	case "XRP":
		return base58Check(base58Ripple, append([]byte{0x00}, randomBytes(20)...))
	case "BTC":
		return segwit(randomBytes(20))
	case "XLM":
		return base32.StdEncoding.EncodeToString(withCRC(append([]byte{6 << 3}, randomBytes(32)...), binary.LittleEndian))
	default: // TON, user-friendly and bounceable
		return base64.URLEncoding.EncodeToString(withCRC(append([]byte{0x11, 0}, randomBytes(32)...), binary.BigEndian))
	}
}

// ValidAddress reports whether an address is one of the family's, check sum
// included.
func ValidAddress(family, address string) bool {
	if version, ok := legacy[family]; ok {
		payload := base58Payload(base58Bitcoin, address)
		return len(payload) == 21 && payload[0] == version
	}
	switch family {
	case FamilyEVM:
		return evmAddress.MatchString(address)
	case "TRX":
		payload := base58Payload(base58Bitcoin, address)
		return len(payload) == 21 && payload[0] == 0x41
	case "XRP":
		payload := base58Payload(base58Ripple, address)
		return len(payload) == 21 && payload[0] == 0
	case "BTC":
		return validSegwit(address) || validLegacyBitcoin(address)
	case "XLM":
		raw, err := base32.StdEncoding.DecodeString(address)
		return err == nil && len(raw) == 35 && raw[0] == 6<<3 && validCRC(raw, binary.LittleEndian)
	default:
		raw, err := base64.URLEncoding.DecodeString(address)
		return err == nil && len(raw) == 36 && validCRC(raw, binary.BigEndian)
	}
}

// base58Check appends the first four bytes of a double SHA-256 and writes the
// whole in base 58.
func base58Check(alphabet string, payload []byte) string {
	raw := append(bytes.Clone(payload), checksum(payload)...)
	n, base, digit := new(big.Int).SetBytes(raw), big.NewInt(58), new(big.Int)
	var reversed []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		reversed = append(reversed, alphabet[digit.Int64()])
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		reversed = append(reversed, alphabet[0])
	}
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return string(reversed)
}

// base58Payload undoes base58Check; nil if the text or its check sum is wrong.
func base58Payload(alphabet, text string) []byte {
	if len(text) < 25 || len(text) > 36 {
		return nil
	}
	n, base := new(big.Int), big.NewInt(58)
	for _, letter := range text {
		at := strings.IndexRune(alphabet, letter)
		if at < 0 {
			return nil
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(at)))
	}
	raw := n.Bytes()
	for i := 0; i < len(text) && text[i] == alphabet[0]; i++ {
		raw = append([]byte{0}, raw...)
	}
	if len(raw) < 5 {
		return nil
	}
	payload, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if !bytes.Equal(checksum(payload), sum) {
		return nil
	}
	return payload
}

func checksum(payload []byte) []byte {
	once := sha256.Sum256(payload)
	twice := sha256.Sum256(once[:])
	return twice[:4]
}

func validLegacyBitcoin(address string) bool {
	payload := base58Payload(base58Bitcoin, address)
	return len(payload) == 21 && (payload[0] == 0 || payload[0] == 5)
}

// segwit writes a witness program of version 0 in bech32.
func segwit(program []byte) string {
	data := []byte{0}
	var bits, count uint
	for _, b := range program {
		bits, count = bits<<8|uint(b), count+8
		for count >= 5 {
			count -= 5
			data = append(data, byte(bits>>count)&31)
		}
	}
	sum := bech32Polymod(append(bytes.Clone(data), 0, 0, 0, 0, 0, 0)) ^ 1
	for i := range 6 {
		data = append(data, byte(sum>>(5*(5-i)))&31)
	}
	var text strings.Builder
	text.WriteString("bc1")
	for _, d := range data {
		text.WriteByte(bech32Letters[d])
	}
	return text.String()
}

func validSegwit(address string) bool {
	letters, ok := strings.CutPrefix(strings.ToLower(address), "bc1")
	if !ok || (len(letters) != 39 && len(letters) != 59) {
		return false
	}
	data := make([]byte, 0, len(letters))
	for _, letter := range letters {
		at := strings.IndexRune(bech32Letters, letter)
		if at < 0 {
			return false
		}
		data = append(data, byte(at))
	}
	sum := bech32Polymod(data)
	return sum == 1 || sum == 0x2bc830a3 // bech32, and bech32m for taproot
}

// bech32Polymod is the check sum over the prefix "bc" and the data.
func bech32Polymod(data []byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	sum := uint32(1)
	step := func(value byte) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(value)
		for i := range generator {
			if top>>i&1 == 1 {
				sum ^= generator[i]
			}
		}
	}
	for _, value := range []byte{'b' >> 5, 'c' >> 5, 0, 'b' & 31, 'c' & 31} {
		step(value)
	}
	for _, value := range data {
		step(value)
	}
	return sum
}

// withCRC appends the CRC-16 (XModem) that Stellar and TON end addresses with.
func withCRC(raw []byte, order binary.AppendByteOrder) []byte {
	return order.AppendUint16(raw, crc16(raw))
}

func validCRC(raw []byte, order binary.ByteOrder) bool {
	body := raw[:len(raw)-2]
	return order.Uint16(raw[len(raw)-2:]) == crc16(body)
}

func crc16(raw []byte) uint16 {
	var crc uint16
	for _, b := range raw {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
