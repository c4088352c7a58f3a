package client

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// SwapQuoteRequest asks what a swap would bring.
type SwapQuoteRequest struct {
	CoinIDIn  string
	AmountIn  decimal.Decimal
	CoinIDOut string
	// ExtraFeeRate is your own fee of a user's swap, a share of what comes out:
	// 0.01 is 1 %. Optional.
	ExtraFeeRate decimal.Decimal
}

// SwapTerms are the amounts of a swap.
type SwapTerms struct {
	CoinIDIn     string          `json:"coinIdIn"`
	CoinIDOut    string          `json:"coinIdOut"`
	AmountIn     decimal.Decimal `json:"amountIn"`
	AmountOut    decimal.Decimal `json:"amountOut"`    // before fees
	NetAmountOut decimal.Decimal `json:"netAmountOut"` // what is received
	SwapRate     decimal.Decimal `json:"swapRate"`     // AmountOut per AmountIn, as the examples show it
	FeeRate      decimal.Decimal `json:"feeRate"`
	Fee          decimal.Decimal `json:"fee"` // in the coin that comes out; at least worth 0.1 USDT
	ExtraFee     decimal.Decimal `json:"extraFee"`
	ExtraFeeRate decimal.Decimal `json:"extraFeeRate"`
}

// SwapQuote is what a swap would bring just now.
type SwapQuote struct {
	SwapTerms
	Raw json.RawMessage
}

func (q *SwapQuote) check() error { return checkCoin(q.CoinIDOut) }

// SwapQuote asks what a swap would bring (estimate).
func (c *Client) SwapQuote(ctx context.Context, r SwapQuoteRequest) (SwapQuote, error) {
	p := c.params(endpointSwapQuote)
	p.number("coinIdIn", r.CoinIDIn)
	p.amount("amountIn", r.AmountIn, coinDecimals)
	p.number("coinIdOut", r.CoinIDOut)
	p.optionalAmount("extraFeeRate", r.ExtraFeeRate, coinDecimals)
	var answer SwapQuote
	err := c.ask(ctx, p, "", &answer)
	return answer, err
}

// SwapRequest asks for a swap of the merchant's coins.
type SwapRequest struct {
	OrderID          string // your id of it, 3 to 64 characters, never used before
	CoinIDIn         string
	AmountIn         decimal.Decimal
	CoinIDOut        string
	AmountOutMinimum decimal.Decimal // optional: nothing is swapped where less would come out
}

func (r SwapRequest) write(p *params) {
	p.reference("orderId", r.OrderID)
	p.number("coinIdIn", r.CoinIDIn)
	p.amount("amountIn", r.AmountIn, coinDecimals)
	p.number("coinIdOut", r.CoinIDOut)
	p.optionalAmount("amountOutMinimum", r.AmountOutMinimum, coinDecimals)
}

// Swap is a swap that was made.
type Swap struct {
	RecordID string `json:"recordId"`
	OrderID  string `json:"orderId"`
	SwapTerms
	Raw json.RawMessage
}

func (s *Swap) check() error { return (&recordIDAnswer{s.RecordID}).check() }

// Swap swaps coins of the merchant's balance (swap). It is never sent twice:
// see [OutcomeUnknownError].
func (c *Client) Swap(ctx context.Context, r SwapRequest) (Swap, error) {
	p := c.params(endpointSwap)
	r.write(p)
	var answer Swap
	err := c.ask(ctx, p, r.OrderID, &answer)
	return answer, err
}

// UserSwapRequest asks for a swap of a user's coins.
type UserSwapRequest struct {
	UserID string // 5 to 64 characters, not beginning with "sys", not the app id
	SwapRequest
	ExtraFeeRate decimal.Decimal // optional: your own fee, a share of what comes out: 0.01 is 1 %
}

// UserSwap swaps coins of a user's balance (userSwap). It is never sent twice:
// see [OutcomeUnknownError].
func (c *Client) UserSwap(ctx context.Context, r UserSwapRequest) (Swap, error) {
	p := c.params(endpointUserSwap)
	p.user("userId", r.UserID, false)
	r.write(p)
	p.optionalAmount("extraFeeRate", r.ExtraFeeRate, coinDecimals)
	var answer Swap
	err := c.ask(ctx, p, r.OrderID, &answer)
	return answer, err
}

// SwapRecord is a swap as CCPayment keeps it.
type SwapRecord struct {
	RecordID         string          `json:"recordId"`
	OrderID          string          `json:"orderId"`
	UserID           string          `json:"userId"` // of a user's swap
	CoinInSymbol     string          `json:"coinInSymbol"`
	CoinOutSymbol    string          `json:"coinOutSymbol"`
	AmountOutMinimum decimal.Decimal `json:"amountOutMinimum"`
	Status           Status          `json:"status"`
	CreatedAt        time.Time       `json:"createdAt"`
	ArrivedAt        time.Time       `json:"arrivedAt"`
	SwapTerms
	Raw json.RawMessage
}

func (r SwapRecord) ref() Ref { return Ref{r.RecordID, r.OrderID} }

// SwapRecord gives a swap of the merchant's (getSwapRecord). After an
// [OutcomeUnknownError], ask with [ByOrder].
func (c *Client) SwapRecord(ctx context.Context, ref Ref) (SwapRecord, error) {
	return record[SwapRecord](ctx, c, endpointSwapRecord, ref)
}

// UserSwapRecord gives a swap of a user's (getUserSwapRecord).
func (c *Client) UserSwapRecord(ctx context.Context, ref Ref) (SwapRecord, error) {
	return record[SwapRecord](ctx, c, endpointUserSwapRecord, ref)
}

// SwapFilter picks swaps; empty fields pick all.
type SwapFilter struct {
	RecordIDs []string // at most 100
	OrderIDs  []string // at most 100
	CoinIDIn  string
	CoinIDOut string
	Between   // of the merchant's swaps: at most 3 months
}

func (f SwapFilter) write(p *params) {
	p.optionalList("recordIds", f.RecordIDs, mostIDs)
	p.optionalList("orderIds", f.OrderIDs, mostIDs)
	p.optionalNumber("coinIdIn", f.CoinIDIn)
	p.optionalNumber("coinIdOut", f.CoinIDOut)
	f.Between.write(p, swapSpan)
}

// swapSpan is three months, of which none is longer than this.
const swapSpan = 92 * 24 * time.Hour

// SwapRecords lists the merchant's swaps (getSwapRecordList).
func (c *Client) SwapRecords(ctx context.Context, f SwapFilter) iter.Seq2[SwapRecord, error] {
	return list[SwapRecord](ctx, c, endpointSwapRecords, f.write)
}

// UserSwapFilter picks users' swaps; empty fields pick all.
type UserSwapFilter struct {
	UserID string
	SwapFilter
}

// UserSwapRecords lists users' swaps (getUserSwapRecordList).
func (c *Client) UserSwapRecords(ctx context.Context, f UserSwapFilter) iter.Seq2[SwapRecord, error] {
	return list[SwapRecord](ctx, c, endpointUserSwapRecords, func(p *params) {
		if f.UserID != "" {
			p.user("userId", f.UserID, false)
		}
		f.write(p)
	})
}
