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

// definedEndpoints are those that only CCPayment's definitions of April 2026 have.
const definedEndpoints = `
checkWithdrawAddress applyBatchWithdraw appendBatchWithdraw confirmBatchWithdraw abortBatchWithdraw getBatchWithdrawOrder
getBatchWithdrawOrderRecordList userBatchTransfer getUserBatchTransferRecord getUserBatchTransferRecordList
getUserBatchTransferRecordDetail getAggregationFeeRecord getPaymentBlockHeight all/chain getMainCoinList
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

// The tables have each endpoint once, with a method that exists and makes that
// very call.
func TestDocEndpoints(t *testing.T) {
	reference, defined := strings.Fields(referenceEndpoints), strings.Fields(definedEndpoints)
	if len(reference) != 46 || len(defined) != 15 {
		t.Fatalf("the lists have %d and %d endpoints", len(reference), len(defined))
	}
	if all := slices.Sorted(slices.Values(slices.Concat(reference, defined))); !slices.Equal(all, client.Endpoints()) {
		t.Errorf("the client has %v", client.Endpoints())
	}
	before, after, _ := strings.Cut(clientDoc(t), "### From the definitions only")
	var source []byte
	for _, file := range []string{"definedcalls_test.go", "everycall_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	methods := checkEndpoints(t, before, string(source), reference)
	methods = append(methods, checkEndpoints(t, after, string(source), defined)...)
	if slices.Sort(methods); len(slices.Compact(methods)) != 61 {
		t.Errorf("%d methods", len(slices.Compact(methods)))
	}
}

// checkEndpoints compares the rows of a text with the endpoints, and returns the
// methods.
func checkEndpoints(t *testing.T, text, source string, want []string) []string {
	t.Helper()
	var got, methods []string
	for _, row := range endpointRow.FindAllStringSubmatch(text, -1) {
		endpoint, method, what, test := row[1], row[2], row[3], row[4]
		got, methods = append(got, endpoint), append(methods, method)
		if _, ok := reflect.TypeFor[*client.Client]().MethodByName(method); !ok {
			t.Errorf("%s: there is no method %s", endpoint, method)
		}
		_, call, _ := strings.Cut(source, `"`+endpoint+`", "`)
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
	return methods
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
