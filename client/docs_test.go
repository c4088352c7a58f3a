package client_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

// referenceEndpoints is the list at the end of CCPayment's reference, in its
// order there.
const referenceEndpoints = `
getOrCreateAppDepositAddress createAppOrderDepositAddress createInvoiceUrl getAppOrderInfo getInvoiceOrderInfo
addressUnbinding getAppDepositRecord getAppDepositRecordList applyAppWithdrawToNetwork applyAppWithdrawToCwallet
getAppWithdrawRecord getAppWithdrawRecordList estimate swap getSwapRecord getSwapRecordList
getUserCoinAssetList getUserCoinAsset getOrCreateUserDepositAddress getUserDepositRecord getUserDepositRecordList
applyUserWithdrawToNetwork applyUserWithdrawToCwallet getUserWithdrawRecord getUserWithdrawRecordList
userTransfer getUserTransferRecord getUserTransferRecordList userSwap getUserSwapRecord getUserSwapRecordList
getCoinList getCoin getCoinUSDTPrice getAppCoinAssetList getAppCoinAsset rescanLostTransaction getCwalletUserId
checkWithdrawalAddressValidity getWithdrawFee getFiatList getSwapCoinList getChainList
getAutoWithdrawRecordList getRiskyRefundRecordList webhook/resend
`

func clientDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/client.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var endpointRow = regexp.MustCompile("(?m)^\\| `([\\w/]+)` \\| `(\\w+)` \\| ([^|]+) \\| `TestEveryEndpoint/([\\w/]+)` \\|$")

// The table has each endpoint once, with a method that exists and makes that
// very call.
func TestDocEndpoints(t *testing.T) {
	want := strings.Fields(referenceEndpoints)
	if len(want) != 46 {
		t.Fatalf("the list has %d endpoints", len(want))
	}
	source, err := os.ReadFile("everycall_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var got, methods []string
	for _, row := range endpointRow.FindAllStringSubmatch(clientDoc(t), -1) {
		endpoint, method, what, test := row[1], row[2], row[3], row[4]
		got, methods = append(got, endpoint), append(methods, method)
		if _, ok := reflect.TypeFor[*client.Client]().MethodByName(method); !ok {
			t.Errorf("%s: there is no method %s", endpoint, method)
		}
		_, call, _ := strings.Cut(string(source), `"`+endpoint+`", "`)
		if call, _, _ = strings.Cut(call, "\n\t},"); !strings.Contains(call, "c."+method+"(ctx") {
			t.Errorf("%s is not called by %s", endpoint, method)
		}
		if words := len(strings.Fields(what)); words > 6 {
			t.Errorf("%s: %q has %d words", endpoint, what, words)
		}
		if test != endpoint {
			t.Errorf("%s is tested by %s", endpoint, test)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the table has %v, want %v", got, want)
	}
	if slices.Sort(methods); len(slices.Compact(methods)) != 46 {
		t.Errorf("%d methods", len(slices.Compact(methods)))
	}
}

// The code that is shown is code that runs: the examples'. Two lines about RSA
// are the exception, which only have to name what exists.
func TestDocCode(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(clientDoc(t), -1)
	if len(blocks) < 6 {
		t.Errorf("%d blocks of code", len(blocks))
	}
	for _, block := range blocks {
		indented := "\t" + strings.ReplaceAll(block[1], "\n", "\n\t")
		indented = strings.ReplaceAll(indented, "\n\t\n", "\n\n")
		if !strings.Contains(string(source), indented) && !strings.Contains(block[1], "WithPrivateKey") {
			t.Errorf("no example runs\n%s", block[1])
		}
	}
}
