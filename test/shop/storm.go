package shop

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
)

// Fault is something that goes wrong beside the Caddys for a while.
type Fault struct {
	Name string
	// EndsWithCaddy: the Caddy that it befell takes it along when it is killed.
	EndsWithCaddy bool
	// Begin begins it, in one of the ways that there are, and returns what ends it.
	Begin func(*rand.Rand) (way string, end func())
}

// Storm has faults begin and end at random, several of them at the same time. It does
// nothing by itself, so that its seed says what happens and in which order.
type Storm struct {
	*rand.Rand

	shop   *Shop
	seed   uint64
	faults []Fault
	now    []*outbreak
	counts map[string]int // of each way, how often it has begun
}

// outbreak is a fault that has begun, and ends after some more steps.
type outbreak struct {
	name          string
	endsWithCaddy bool
	end           func()
	steps         int
	from          time.Time
}

// NewStorm makes a storm of these faults. The seed 0 stands for one that nobody chooses.
func (s *Shop) NewStorm(seed uint64, faults ...Fault) *Storm {
	seed = cmp.Or(seed, rand.Uint64())
	return &Storm{Rand: rand.New(rand.NewPCG(seed, 0)), shop: s, seed: seed, faults: faults, counts: make(map[string]int)}
}

// String has the seed, and how often each way has begun.
func (st *Storm) String() string { return fmt.Sprintf("seed %d, %v", st.seed, st.counts) }

// Step ends the faults whose time is up and begins another one or none, or it ends them all
// until something was acknowledged. Then it lets the Caddys do something, well or not.
func (st *Storm) Step() {
	st.shop.t.Helper()
	const longest = 4
	for _, o := range slices.Clone(st.now) {
		if o.steps--; o.steps <= 0 {
			st.over(o)
		}
	}
	f := st.faults[st.IntN(len(st.faults))]
	isOn := slices.ContainsFunc(st.now, func(o *outbreak) bool { return o.name == f.Name })
	switch n := st.IntN(4); {
	case n == 0:
		st.Calm()
		st.shop.Flow(1 + st.IntN(20))
	case !isOn:
		from := time.Now()
		way, end := f.Begin(st.Rand)
		st.counts[f.Name+": "+way]++
		st.now = append(st.now, &outbreak{name: f.Name, endsWithCaddy: f.EndsWithCaddy, end: end, steps: 1 + st.IntN(longest), from: from})
	}
	st.shop.answered(1 + st.IntN(50))
	<-time.After(time.Duration(st.Int64N(int64(20 * time.Millisecond)))) // anywhere
}

// answered waits until so many deliveries were answered, with whatever, but not for long: a
// fault may keep all of them waiting.
func (s *Shop) answered(n int) {
	enough, late := s.Outbox.answered.Load()+int64(n), time.After(2*time.Second)
	processtest.Until(s.t, "deliveries are answered", func() bool {
		select {
		case <-late:
			return true
		default:
			return s.Outbox.answered.Load() >= enough
		}
	})
}

// Killed ends the faults that a Caddy which was killed has taken along.
func (st *Storm) Killed() {
	st.shop.t.Helper()
	for _, o := range slices.Clone(st.now) {
		if o.endsWithCaddy {
			st.over(o)
		}
	}
}

// Calm ends all faults.
func (st *Storm) Calm() {
	st.shop.t.Helper()
	for _, o := range slices.Clone(st.now) {
		st.over(o)
	}
}

func (st *Storm) over(o *outbreak) {
	o.end()
	st.shop.Note(o.name, o.from, time.Now())
	st.now = slices.DeleteFunc(st.now, func(other *outbreak) bool { return other == o })
}

// BrokenApp is an app that is down, slow, or refuses what it has done.
func (s *Shop) BrokenApp() Fault {
	again := func(env ...string) {
		s.t.Helper()
		s.App.Kill()
		s.App.Start(env...)
	}
	return Fault{Name: "app", Begin: func(random *rand.Rand) (way string, end func()) {
		switch random.IntN(3) {
		case 0:
			s.App.Kill()
			return "down", func() { s.App.Start() }
		case 1:
			again(TakesVariable + "=300ms")
			return "slow", func() { again() }
		default:
			again(RefusesVariable + "=1")
			return "refuses", func() { again() }
		}
	}}
}

// BrokenAPI is the gateway's API that is down, slow, or answers nonsense; for the Caddys,
// and not for the buyers.
func (s *Shop) BrokenAPI() Fault {
	return Fault{Name: "API", Begin: func(random *rand.Rand) (way string, end func()) {
		wrong := fault.APIs[random.IntN(len(fault.APIs))]
		s.lies.Store(&wrong.Answer)
		return wrong.Name, func() { s.lies.Store(nil) }
	}}
}

// WrongClock is a clock of the Caddys that is set by an hour, by the file of a
// [fault.TimedCaddy].
func (s *Shop) WrongClock(file string) Fault {
	set := func(ahead time.Duration) {
		s.t.Helper()
		if err := fault.SetClock(file, ahead); err != nil {
			s.t.Fatal(err)
		}
	}
	return Fault{Name: "clock", Begin: func(random *rand.Rand) (way string, end func()) {
		way, ahead := "forward", time.Hour
		if random.IntN(2) == 0 {
			way, ahead = "back", -time.Hour
		}
		set(ahead)
		s.clockSet = true
		return way, func() { set(0) }
	}}
}

// answers has the API answer, or what is wrong with it.
func (s *Shop) answers(api http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.Calls.add(r.URL.Path)
		if lies := s.lies.Load(); lies != nil {
			(*lies)(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}
}
