package sandbox

import (
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// state is everything that the sandbox remembers and that Reset forgets.
// Sandbox.mu guards it.
type state struct {
	lastID   *big.Int // the last eighteen digits of the latest record id
	prices   map[int64]decimal.Decimal
	balances map[string]map[int64]decimal.Decimal // by user id, then coin id

	addresses addressBook
	orders    map[string]*order   // deposit orders and invoices share their ids
	tokens    map[string]*order   // by the secret part of the hosted page's address
	deposits  []*deposit          // oldest first
	byRecord  map[string]*deposit // by record id

	notices []*notice          // the latest of each transaction, oldest first
	latest  map[string]*notice // by record id

	payouts      payouts
	aggregations []*aggregation // oldest first

	account Account
	calls   map[string]int // by the day
}

func newState() *state {
	start, _ := rand.Int(rand.Reader, big.NewInt(1e17)) // never fails
	st := &state{
		lastID:    start.Add(start, big.NewInt(1e17)),
		prices:    map[int64]decimal.Decimal{},
		balances:  map[string]map[int64]decimal.Decimal{},
		addresses: newAddressBook(),
		orders:    map[string]*order{},
		tokens:    map[string]*order{},
		byRecord:  map[string]*deposit{},
		latest:    map[string]*notice{},
		payouts:   newPayouts(),
		calls:     map[string]int{},
	}
	for _, c := range coins {
		st.prices[c.id] = c.usd
	}
	return st
}

// recordID makes the id of a transaction: its time and eighteen digits that
// never come twice.
func (st *state) recordID(now time.Time) string {
	step, _ := rand.Int(rand.Reader, big.NewInt(1e9)) // never fails
	st.lastID.Add(st.lastID, step.Add(step, big.NewInt(1)))
	return fmt.Sprintf("%s%018d", now.UTC().Format("20060102150405"), st.lastID)
}

// balance is what a user holds of a coin. The merchant's user id is the app id.
func (st *state) balance(user string, c *coin) decimal.Decimal { return st.balances[user][c.id] }

// credit adds to a user's balance.
func (st *state) credit(user string, c *coin, amount decimal.Decimal) {
	if st.balances[user] == nil {
		st.balances[user] = map[int64]decimal.Decimal{}
	}
	st.balances[user][c.id] = st.balances[user][c.id].Add(amount)
}

// debit takes from a user's balance, or refuses with 14000.
func (st *state) debit(user string, c *coin, amount decimal.Decimal) error {
	held := st.balance(user, c)
	if held.LessThan(amount) {
		return refuse(codeBalance, "amount: the balance is %s %s, and %s are needed", held, c.symbol, amount)
	}
	st.credit(user, c, amount.Neg())
	return nil
}

// held lists the coins that a user has had any of, by id.
func (st *state) held(user string) []*coin {
	list := make([]*coin, 0, len(st.balances[user]))
	for _, id := range slices.Sorted(maps.Keys(st.balances[user])) {
		list = append(list, coinByID(id))
	}
	return list
}

// price is what a coin is worth in US dollars at present.
func (st *state) price(c *coin) decimal.Decimal { return st.prices[c.id] }
