package sandbox

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Account is what a merchant's account can have against calls. Its zero value has
// nothing against any.
type Account struct {
	OnlyV1        bool `json:"only_v1"`        // 11013: it cannot use the V2 API
	Unverified    bool `json:"unverified"`     // 12003: website or company are not verified
	CallsPerDay   int  `json:"calls_per_day"`  // 11009 beyond them, by the sandbox's day in UTC; 0: no limit
	NoWithdrawals bool `json:"no_withdrawals"` // 14018
	NoWhitelist   bool `json:"no_whitelist"`   // 14020 for withdrawals, 14021 for swaps
	// TestMode pays out at most 10 of a coin at once (14023) and in all (14022).
	TestMode bool `json:"test_mode"`
	NoSwaps  bool `json:"no_swaps"` // 16005
	// HaltedSwaps are the ids of coins whose swaps are halted (16001).
	HaltedSwaps []int64 `json:"halted_swaps"`
	// SwapsPerDay is how much may be swapped in a day, in USD (16004); 0: no limit.
	SwapsPerDay int64 `json:"swaps_per_day"`
}

// testModeLimit is how many coins an account in test mode pays out.
var testModeLimit = decimal.New(10, 0)

// SetAccount changes what the merchant's account has against calls. The day's calls are
// counted from then on.
func (s *Sandbox) SetAccount(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.account, s.st.calls = a, map[string]int{}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// admit says why the account may make no call, or nil, and counts the call.
func (st *state) admit(now time.Time) error {
	st.calls[day(now)]++
	switch a := st.account; {
	case a.OnlyV1:
		return refuse(codeNoV2, "the account can use the V1 API only")
	case a.Unverified:
		return refuse(codeUnverified, "the account's website or company is not verified yet")
	case a.CallsPerDay > 0 && st.calls[day(now)] > a.CallsPerDay:
		return refuse(codeCallsPerDay, "the day's %d calls are used up", a.CallsPerDay)
	}
	return nil
}

// mayWithdraw says why the account may not pay these amounts of a coin out, or nil.
func (st *state) mayWithdraw(of *coin, amounts ...decimal.Decimal) error {
	sum := decimal.Sum(decimal.Zero, amounts...)
	for _, before := range st.payouts.withdrawals.list {
		if before.coin == of && before.status != statusFailed && before.status != statusRejected {
			sum = sum.Add(before.amount)
		}
	}
	switch a := st.account; {
	case a.NoWithdrawals:
		return refuse(codeNoWithdrawals, "withdrawals are disabled for this account")
	case a.NoWhitelist:
		return refuse(codeNoWhitelist, "neither addresses nor IP addresses are listed, so there are no withdrawals")
	case !a.TestMode:
	case slices.ContainsFunc(amounts, testModeLimit.LessThan):
		return refuse(codeTestModeSingle, "amount: at most %s in test mode", testModeLimit)
	case sum.GreaterThan(testModeLimit):
		return refuse(codeTestMode, "amount: at most %s of a coin in all in test mode", testModeLimit)
	}
	return nil
}

// maySwap says why the account may not make a swap, or nil.
func (st *state) maySwap(now time.Time, w *swap) error {
	a := st.account
	sum := w.amountIn.Mul(st.price(w.coinIn))
	for _, before := range st.payouts.swaps.list {
		if day(before.createdAt) == day(now) {
			sum = sum.Add(before.amountIn.Mul(st.price(before.coinIn)))
		}
	}
	switch {
	case a.NoSwaps:
		return refuse(codeNoSwaps, "swaps are disabled for this account")
	case a.NoWhitelist:
		return refuse(codeNoSwapWhitelist, "no IP addresses are listed, so there are no swaps")
	case a.SwapsPerDay > 0 && sum.GreaterThan(decimal.New(a.SwapsPerDay, 0)):
		return refuse(codeSwapsPerDay, "amountIn: the day's swaps would be worth %s USD, and at most %d are allowed", sum.Truncate(2), a.SwapsPerDay)
	}
	return nil
}
