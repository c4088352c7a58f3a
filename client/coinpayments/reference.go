package coinpayments

import (
	"encoding/json"
	"strings"
)

// referenceIn finds what to look up after a call by its method and path: the id of a
// spend request or of an invoice in the body, else the last id in the path.
func referenceIn(body json.RawMessage, path string) string {
	var known struct {
		PONumber       string `json:"poNumber"`
		InvoiceID      string `json:"invoiceId"`
		SpendRequestID string `json:"spendRequestId"`
	}
	if len(body) > 0 && lenient.Decode(body, &known) == nil {
		for _, reference := range []string{known.SpendRequestID, known.PONumber, known.InvoiceID} {
			if reference != "" {
				return reference
			}
		}
	}
	if id, found := strings.CutSuffix(path, "/cancel"); found {
		return id[strings.LastIndexByte(id, '/')+1:]
	}
	return ""
}
