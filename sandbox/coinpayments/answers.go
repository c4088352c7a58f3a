package coinpayments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// answered is how the API answers something that it keeps: as it is, as it was, or with a
// lie. Webhooks are not touched by it.
type answered struct {
	frozen map[bool]json.RawMessage // by whether it is v1; nil: as it is
	patch  any                      // merged over the answer
}

// of is the answer, of which view makes the true one.
func (a *answered) of(v1 bool, view func(v1 bool) object) any {
	if a.frozen == nil && a.patch == nil {
		return view(v1)
	}
	raw := a.frozen[v1]
	if raw == nil {
		raw = engine.Marshal(view(v1))
	}
	if a.patch == nil {
		return raw
	}
	var answer any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&answer) // it was written here
	return merge(answer, a.patch)
}

// merge is a JSON merge patch (RFC 7396).
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged, ok := target.(map[string]any)
	if !ok {
		merged = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = merge(merged[name], value)
		}
	}
	return merged
}

// known is what the API keeps and answers under an id.
type known interface {
	answers() *answered
	show(s *Sandbox, v1 bool) object
}

func (a *answered) answers() *answered { return a }

// kept finds an invoice by its id or number, or a transaction by its id.
func (st *state) kept(id string) (known, error) {
	if i := st.find(id); i != nil {
		return i, nil
	}
	if t := st.transaction(id); t != nil {
		return t, nil
	}
	if i, err := st.named(id, ""); err == nil {
		return i, nil
	}
	return nil, fmt.Errorf("id: nothing is called %q", id)
}

// Freeze has the API answer an invoice or transaction from now on as it is now, as if it
// were behind the webhooks, or as it is again. The id is its own, or an invoice's
// number; empty is all that there are.
func (s *Sandbox) Freeze(id string, frozen bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []known
	if id != "" {
		one, err := s.st.kept(id)
		if err != nil {
			return err
		}
		all = append(all, one)
	} else {
		for _, i := range s.st.invoices {
			all = append(all, i)
		}
		for _, w := range s.st.wallets {
			for _, t := range w.transactions {
				all = append(all, t)
			}
		}
	}
	for _, one := range all {
		a := one.answers()
		if a.frozen = nil; frozen {
			a.frozen = map[bool]json.RawMessage{true: engine.Marshal(one.show(s, true)), false: engine.Marshal(one.show(s, false))}
		}
	}
	return nil
}

// Lie has the API answer an invoice or transaction with a JSON object merged over it
// (RFC 7396: null removes a field), until it is called with an empty one. Lists lie, too.
func (s *Sandbox) Lie(id string, patch json.RawMessage) error {
	var change map[string]any
	dec := json.NewDecoder(bytes.NewReader(patch))
	dec.UseNumber()
	if err := dec.Decode(&change); err != nil {
		return errors.New("set: must be a JSON object")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one, err := s.st.kept(id)
	if err != nil {
		return err
	}
	if one.answers().patch = nil; len(change) > 0 {
		one.answers().patch = change
	}
	return nil
}
