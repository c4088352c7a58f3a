package sandbox_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/seed-338f6760/caddy-ccpayment/internal/jsontest"
	"github.com/seed-338f6760/caddy-ccpayment/sandbox"
)

// atOnce makes n calls at the same time and counts the codes of the answers.
func (w *world) atOnce(n int, call func(i int) (endpoint, body string)) map[int]int {
	w.t.Helper()
	var mu sync.Mutex
	counts := map[int]int{}
	var calls sync.WaitGroup
	for i := range n {
		req := w.signed(call(i))
		calls.Go(func() {
			var r reply
			if resp, err := w.client.Do(req); err == nil {
				json.NewDecoder(resp.Body).Decode(&r)
				resp.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			counts[r.Code]++
		})
	}
	calls.Wait()
	return counts
}

func TestFiftyWithdrawalsNeverOverdraw(t *testing.T) {
	for name, endpoint := range map[string]string{
		"merchant": "applyAppWithdrawToNetwork", "user": "applyUserWithdrawToNetwork", "cwallet": "applyUserWithdrawToCwallet",
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
			payer := "user-1"
			if name == "merchant" {
				payer = appID
			}
			w.gives(payer, usdt, "105")
			counts := w.atOnce(50, func(i int) (string, string) {
				return endpoint, changed(toTron, "orderId", fmt.Sprintf(`"out-%d"`, i),
					"userId", `"user-1"`, "cwalletUser", `"35255142"`)
			})
			if counts[10000] != 10 || counts[14000] != 40 {
				t.Errorf("answers: %v, want 10 of 10000 and 40 of 14000", counts)
			}
			w.holds(payer, usdt, "5")
		})
	}
}

func TestOneOrderIDDebitsOnce(t *testing.T) {
	for endpoint, body := range map[string]string{
		"applyAppWithdrawToNetwork":  changed(toTron),
		"applyAppWithdrawToCwallet":  `{"coinId":1280,"cwalletUser":"35255142","amount":"10","orderId":"out-1"}`,
		"applyUserWithdrawToNetwork": changed(toTron, "userId", `"user-1"`),
		"applyUserWithdrawToCwallet": `{"userId":"user-1","coinId":1280,"cwalletUser":"35255142","amount":"10","orderId":"out-1"}`,
		"swap":                       `{"orderId":"out-1","coinIdIn":1280,"amountIn":"10","coinIdOut":1482}`,
		"userSwap":                   `{"orderId":"out-1","userId":"user-1","coinIdIn":1280,"amountIn":"10","coinIdOut":1482}`,
		"userTransfer":               `{"fromUserId":"user-1","toUserId":"user-2","coinId":1280,"amount":"10","orderId":"out-1"}`,
	} {
		t.Run(endpoint, func(t *testing.T) {
			w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
			w.gives(appID, usdt, "500")
			w.gives("user-1", usdt, "500")
			w.gives("user-2", trx, "1")
			counts := w.atOnce(20, func(int) (string, string) { return endpoint, body })
			if counts[10000] != 1 || counts[11011] != 19 {
				t.Errorf("answers: %v, want one 10000 and 19 of 11011", counts)
			}
			if left := w.Balance(appID, usdt).Add(w.Balance("user-1", usdt)); !left.Equal(dec("990")) {
				t.Errorf("debited %s, want 10", dec("1000").Sub(left))
			}
		})
	}
}

// Whatever is done, and whatever fails, the balances and what left them add up
// to what was credited, and no balance falls below zero.
func TestMoneyIsConserved(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
			g := &gambler{w: w, rand: rand.New(rand.NewPCG(seed, 1)), credited: map[int64]decimal.Decimal{}, carried: map[string]deed{}}
			for _, user := range players {
				for _, coin := range stakes {
					g.credit(user, coin, "200")
				}
			}
			carried := 0
			for range 300 {
				if g.play() {
					carried++
				}
			}
			if carried < 80 {
				t.Errorf("only %d calls were carried out: the sequence shows little", carried)
			}
			g.balance(t)
			w.Advance(time.Hour)
			g.balance(t)
		})
	}
}

var (
	players = []string{appID, "user-1", "user-2", "user-3"}
	stakes  = []int64{usdt, trx, pol}
)

// gambler does random things with other people's money.
type gambler struct {
	w        *world
	rand     *rand.Rand
	calls    int
	open     []string // withdrawals that may not have ended
	credited map[int64]decimal.Decimal
	carried  map[string]deed // by order id
}

// deed tells where the record of a call that was carried out is.
type deed struct {
	withdrawal, swap string // the endpoint that has it
	feeOnTop         bool
}

func (g *gambler) credit(user string, coin int64, amount string) {
	g.w.gives(user, coin, amount)
	g.credited[coin] = g.credited[coin].Add(dec(amount))
}

func (g *gambler) player() string { return players[g.rand.IntN(len(players))] }
func (g *gambler) stake() int64   { return stakes[g.rand.IntN(len(stakes))] }
func (g *gambler) amount() string { return fmt.Sprintf("%d.%03d", g.rand.IntN(90), g.rand.IntN(1000)) }

// play does one thing and tells whether it was carried out.
func (g *gambler) play() bool {
	g.calls++
	id, user := fmt.Sprintf("order-%d", g.calls), players[1+g.rand.IntN(3)]
	var endpoint, body string
	var made deed
	switch g.rand.IntN(8) {
	case 0:
		endpoint = "userTransfer"
		body = fmt.Sprintf(`{"fromUserId":%q,"toUserId":%q,"coinId":%d,"amount":%q,"orderId":%q}`,
			g.player(), g.player(), g.stake(), g.amount(), id)
	case 1:
		endpoint, made.swap = "swap", "getSwapRecord"
		body = fmt.Sprintf(`{"coinIdIn":%d,"coinIdOut":%d,"amountIn":%q,"orderId":%q}`, g.stake(), g.stake(), g.amount(), id)
	case 2:
		endpoint, made.swap = "userSwap", "getUserSwapRecord"
		body = fmt.Sprintf(`{"userId":%q,"coinIdIn":%d,"coinIdOut":%d,"amountIn":%q,"orderId":%q,"extraFeeRate":"0.02","amountOutMinimum":"5"}`,
			user, g.stake(), g.stake(), g.amount(), id)
	case 3:
		endpoint, made.withdrawal, made.feeOnTop = "applyAppWithdrawToNetwork", "getAppWithdrawRecord", g.rand.IntN(2) == 0
		body = changed(toTron, "amount", `"`+g.amount()+`"`, "orderId", `"`+id+`"`,
			"merchantPayNetworkFee", fmt.Sprint(made.feeOnTop))
	case 4:
		endpoint, made.withdrawal = "applyUserWithdrawToNetwork", "getUserWithdrawRecord"
		body = changed(toTron, "userId", `"`+user+`"`, "coinId", "1482", "amount", `"`+g.amount()+`"`, "orderId", `"`+id+`"`)
	case 5:
		endpoint, made.withdrawal = "applyUserWithdrawToCwallet", "getUserWithdrawRecord"
		body = fmt.Sprintf(`{"userId":%q,"coinId":%d,"cwalletUser":"35255142","amount":%q,"orderId":%q}`, user, g.stake(), g.amount(), id)
	case 6:
		g.w.SetApproval(g.rand.IntN(2) == 0)
		return false
	case 7:
		if len(g.open) == 0 {
			return false
		}
		status := []string{"success", "failed", "rejected", "processing"}[g.rand.IntN(4)]
		return g.w.SettleWithdrawal(g.open[g.rand.IntN(len(g.open))], status) == nil
	}
	r := g.w.call(endpoint, body)
	if r.Code != 10000 {
		return false
	}
	g.carried[id] = made
	if made.withdrawal != "" {
		g.open = append(g.open, jsontest.Read(g.w.t, r.Data).Str("recordId"))
	}
	return true
}

// balance checks the sum of each coin against what records say has left.
func (g *gambler) balance(t *testing.T) {
	t.Helper()
	gone := map[int64]decimal.Decimal{}
	leaves := func(r jsontest.Tree, coin, amount string) {
		id, _ := r.At(coin).Value.(json.Number).Int64()
		gone[id] = gone[id].Add(dec(r.Str(amount)))
	}
	comes := func(r jsontest.Tree, coin, amount string) {
		id, _ := r.At(coin).Value.(json.Number).Int64()
		gone[id] = gone[id].Sub(dec(r.Str(amount)))
	}
	for id, of := range g.carried {
		switch {
		case of.withdrawal != "":
			r := jsontest.Tree{Value: g.w.ok(of.withdrawal, `{"orderId":"`+id+`"}`).At("record").Value}
			if status := r.Str("status"); status == "Failed" || status == "Rejected" {
				continue
			}
			leaves(r, "coinId", "amount")
			if of.feeOnTop {
				leaves(r, "coinId", "fee.amount")
			}
		case of.swap != "":
			r := jsontest.Tree{Value: g.w.ok(of.swap, `{"orderId":"`+id+`"}`).At("record").Value}
			leaves(r, "coinIdIn", "amountIn")
			comes(r, "coinIdOut", "netAmountOut")
			if r.Str("extraFee") != "" {
				comes(r, "coinIdOut", "extraFee")
			}
		}
	}
	for _, coin := range stakes {
		sum := decimal.Zero
		for _, user := range players {
			held := g.w.Balance(user, coin)
			if held.IsNegative() {
				t.Errorf("%s holds %s of coin %d", user, held, coin)
			}
			sum = sum.Add(held)
		}
		if got := sum.Add(gone[coin]); !got.Equal(g.credited[coin]) {
			t.Errorf("coin %d: %s held and %s gone make %s, credited were %s", coin, sum, gone[coin], got, g.credited[coin])
		}
	}
}

func TestAWithdrawalIsGivenBackOnce(t *testing.T) {
	w := start(t, func(o *sandbox.Options) { o.WebhookURL = "" })
	w.gives(appID, usdt, "100")
	w.SetApproval(true)
	id := w.ok("applyAppWithdrawToNetwork", changed(toTron)).Str("recordId")
	var settled atomic.Int32
	var callers sync.WaitGroup
	for i := range 20 {
		callers.Go(func() {
			if w.SettleWithdrawal(id, []string{"failed", "rejected"}[i%2]) == nil {
				settled.Add(1)
			}
		})
	}
	callers.Wait()
	if settled.Load() != 1 {
		t.Errorf("settled %d times", settled.Load())
	}
	w.holds(appID, usdt, "100")
}
