package sandbox

import (
	"net/mail"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

var toolEndpoints = map[string]handler{
	"getCwalletUserId":               cwalletUserInfo,
	"checkWithdrawalAddressValidity": addressValidity,
	"getWithdrawFee":                 withdrawFee,
	"getPaymentBlockHeight":          blockHeight,
	"getTradeBlockHeight":            blockHeight, // the SDKs call this one
}

var cwalletID = regexp.MustCompile(`^[1-9][0-9]{4,11}$`)

func cwalletUserInfo(c *call) (any, error) {
	id := c.text("cwalletUserId", 120)
	if err := c.broken(); err != nil {
		return nil, err
	}
	name, found := cwalletName(id)
	if !found {
		return nil, refuse(codeNotFound, "cwalletUserId: nobody has the Cwallet id %q", id)
	}
	return object{"cwalletUserId": id, "cwalletUserName": name}, nil
}

// cwalletName looks a Cwallet user up by id or e-mail address. Every id of five
// to twelve digits and every address exists here, except ids that end in 404.
func cwalletName(id string) (string, bool) {
	if at := strings.IndexByte(id, '@'); at > 0 {
		parsed, err := mail.ParseAddress(id)
		return id[:1] + "***" + id[at:], err == nil && parsed.Address == id
	}
	if !cwalletID.MatchString(id) || strings.HasSuffix(id, "404") {
		return "", false
	}
	return "u***" + id[len(id)-2:] + "@cwallet.example", true
}

func addressValidity(c *call) (any, error) {
	on, text := c.chain("chain"), c.text("address", 256)
	if err := c.broken(); err != nil {
		return nil, err
	}
	return object{"addrIsValid": engine.ValidAddress(on.family, text)}, nil
}

func withdrawFee(c *call) (any, error) {
	of, n := c.network()
	if err := c.broken(); err != nil {
		return nil, err
	}
	return object{
		"fee":                 object{"coinId": of.id, "coinSymbol": of.inRecords(), "amount": c.st.networkFee(of, n)},
		"networkFeeInquiryID": c.st.recordID(c.now),
	}, nil
}

// networkFee is what a withdrawal costs at present, in the coin withdrawn.
func (st *state) networkFee(c *coin, n *network) decimal.Decimal {
	if !st.price(c).IsPositive() {
		return decimal.Zero
	}
	return n.chain.feeUSD.DivRound(st.price(c), 30).RoundCeil(int32(min(n.precision, feeDecimals)))
}

// blockEvery is how many seconds every chain needs for a block.
const blockEvery = 12

// blockHeight serves getPaymentBlockHeight, for payments in and out. What succeeded has
// all its confirmations.
func blockHeight(c *call) (any, error) {
	id := c.firstOf(64, "record_id", "recordId")
	if id == "" {
		c.reject(codeInvalid, "record_id: required")
	}
	if err := c.broken(); err != nil {
		return nil, err
	}
	var on *chain
	var block int64
	var status string
	if d := c.st.byRecord[id]; d != nil {
		on, block, status = d.network.chain, d.arrivedAt.Unix()/blockEvery, d.status
	} else if w := c.st.payouts.withdrawals.byRecord[id]; w != nil && w.network != nil {
		on, status = w.network.chain, w.status
		if w.txID != "" {
			block = w.createdAt.Unix() / blockEvery
		}
	} else {
		return nil, refuse(codeNotFound, "record_id: no payment on a chain has the record id %q", id)
	}
	last := c.now.Unix() / blockEvery
	if status == statusSuccess {
		last = max(last, block+int64(on.confirmations))
	}
	return object{
		"chain": on.symbol, "txBlockHeight": block, "currBlockHeight": last, "reqConfirmations": on.confirmations,
	}, nil
}
