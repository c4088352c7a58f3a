// Package ccanswer writes the answers of CCPayment's APIs, which V1 and V2 wrap alike.
package ccanswer

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"
)

// codeDone is CCPayment's code for success (API reference, Status Codes & Error Codes).
const codeDone = 10000

// Success returns the answer to a call that was performed, and the part of it that is the
// data, byte for byte; no data are null.
func Success(data json.RawMessage) (body, inner []byte) {
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	front := append(begin(codeDone, "success"), `,"data":`...)
	body = append(bytes.Join([][]byte{front, data}, nil), "}\n"...)
	return body, body[len(front) : len(front)+len(data)]
}

// Refusal returns the answer to a call that was refused.
func Refusal(code int, msg string) []byte { return append(begin(code, msg), "}\n"...) }

func begin(code int, msg string) []byte {
	text := strconv.AppendInt([]byte(`{"code":`), int64(code), 10)
	return gjson.AppendJSONString(append(text, `,"msg":`...), msg)
}
