package sandbox

import (
	"cmp"
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// Fault is something that shall go wrong, with either gateway.
type Fault = engine.Fault

// SetFaults adds faults. Of several that match, the first that was added and
// is not used up strikes. On an error none is added.
func (s *Sandbox) SetFaults(faults ...Fault) error { return s.engine.SetFaults(faults...) }

// Faults lists the faults that are not used up.
func (s *Sandbox) Faults() []Fault { return s.engine.Faults() }

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() { s.engine.ClearFaults() }

// answerFault answers a call with a fault's code or status.
func answerFault(w http.ResponseWriter, f *Fault) {
	if f.Code != 0 {
		engine.WriteJSON(w, http.StatusOK, answer{Code: f.Code, Msg: cmp.Or(codes[f.Code], f.Effect())})
		return
	}
	http.Error(w, http.StatusText(f.HTTPStatus), f.HTTPStatus)
}
