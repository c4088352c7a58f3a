package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	dropBefore   = "before"
	dropAfter    = "after"
	faultWebhook = "webhook"
	faultAny     = "*"
	codeSuccess  = 10_000 // that of CCPayment's answers
)

// Fault is something that shall go wrong. Exactly one of Code, HTTPStatus,
// DelayMS and Drop says what. Only CCPayment's answers have codes.
//
// On an API call, Code and HTTPStatus are answered and nothing is done;
// DelayMS holds the call back before it acts; Drop cuts the connection without
// an answer, "before" without having acted and "after" having acted.
//
// On a delivery, HTTPStatus replaces the receiver's response, without a request
// being sent; DelayMS holds the request back; Drop "before" sends nothing, and
// "after" sends the request and loses the answer.
type Fault struct {
	Endpoint   string `json:"endpoint"` // a name, "*" for every API call, "webhook" for deliveries
	Code       int    `json:"code,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"` // seconds; a header beside HTTPStatus
	DelayMS    int    `json:"delay_ms,omitempty"`
	Drop       string `json:"drop,omitempty"`
	Times      int    `json:"times"` // how often; 0 is once, -1 for ever
}

// Endpoints makes names known that a fault may have, and says whether their answers have
// codes. It is called before the engine is used.
func (e *Engine) Endpoints(codes bool, names ...string) {
	for _, name := range names {
		e.endpoints[name] = codes
	}
}

// checkFault says what is wrong with a fault, or nil.
func (e *Engine) checkFault(f Fault) error {
	codes, known := e.endpoints[f.Endpoint]
	effects := 0
	for _, set := range []bool{f.Code != 0, f.HTTPStatus != 0, f.DelayMS != 0, f.Drop != ""} {
		if set {
			effects++
		}
	}
	switch {
	case f.Endpoint == "":
		return errors.New(`endpoint: name an endpoint, "*" for all or "webhook" for deliveries`)
	case !known && f.Endpoint != faultAny && f.Endpoint != faultWebhook:
		return fmt.Errorf(`endpoint: no endpoint is called %q; "*" is all of them, "webhook" is deliveries`, f.Endpoint)
	case effects != 1:
		return fmt.Errorf("pass exactly one of code, http_status, delay_ms and drop, got %d of them", effects)
	case f.Code != 0 && f.Endpoint == faultWebhook:
		return errors.New("code: deliveries have none; use http_status, delay_ms or drop")
	case f.Code != 0 && known && !codes:
		return errors.New("code: only CCPayment's answers have one; use http_status, delay_ms or drop")
	case f.Code != 0 && (f.Code <= codeSuccess || f.Code > 99_999):
		return fmt.Errorf("code: %d is no error code: they have five digits and are above 10000", f.Code)
	case f.HTTPStatus != 0 && (f.HTTPStatus < 200 || f.HTTPStatus > 599):
		return fmt.Errorf("http_status: must be 200 to 599, got %d", f.HTTPStatus)
	case f.RetryAfter < 0 || f.RetryAfter > 0 && f.HTTPStatus == 0:
		return errors.New("retry_after: a number of seconds, beside http_status")
	case f.DelayMS < 0 || f.DelayMS > 600_000:
		return fmt.Errorf("delay_ms: must be 1 to 600000, got %d", f.DelayMS)
	case f.Drop != "" && f.Drop != dropBefore && f.Drop != dropAfter:
		return fmt.Errorf(`drop: must be true, "after" or "before", got %q`, f.Drop)
	case f.Times < -1:
		return fmt.Errorf("times: must be 1 or more, or -1 for ever, got %d", f.Times)
	}
	return nil
}

// SetFaults adds faults. Of several that match, the first that was added and
// is not used up strikes. On an error none is added.
func (e *Engine) SetFaults(faults ...Fault) error {
	for _, f := range faults {
		if err := e.checkFault(f); err != nil {
			return err
		}
	}
	e.Mu.Lock()
	defer e.Mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		e.faults = append(e.faults, &f)
	}
	return nil
}

// Faults lists the faults that are not used up.
func (e *Engine) Faults() []Fault {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	list := make([]Fault, 0, len(e.faults))
	for _, f := range e.faults {
		list = append(list, *f)
	}
	return list
}

// ClearFaults removes all faults.
func (e *Engine) ClearFaults() {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	e.faults = nil
}

// Strike returns the fault that strikes a call now, if any, and uses it once. Besides
// those of the endpoint's name, and of all, faults of the other names match.
func (e *Engine) Strike(endpoint string, names ...string) *Fault {
	return e.takeFault(func(f *Fault) bool {
		return f.Endpoint == endpoint || slices.Contains(names, f.Endpoint) ||
			f.Endpoint == faultAny && (f.Code == 0 || e.endpoints[endpoint])
	})
}

func (e *Engine) takeFault(matches func(*Fault) bool) *Fault {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	at := slices.IndexFunc(e.faults, matches)
	if at < 0 {
		return nil
	}
	f := *e.faults[at]
	if f.Times > 0 {
		if e.faults[at].Times--; e.faults[at].Times == 0 {
			e.faults = slices.Delete(e.faults, at, at+1)
		}
	}
	return &f
}

// Before lets a fault strike ahead of an API call, and reports whether that was
// the end of the call. A Code or HTTPStatus is left to answer.
func (f *Fault) Before(w http.ResponseWriter, r *http.Request, answer func()) bool {
	switch {
	case f.Code != 0 || f.HTTPStatus != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		answer()
		return true
	case f.Drop == dropBefore:
		panic(http.ErrAbortHandler)
	case f.DelayMS != 0:
		Pause(r, f.delay())
	}
	return false
}

// LosesAnswer reports whether the call is carried out and its answer lost.
func (f *Fault) LosesAnswer() bool { return f.Drop == dropAfter }

func (f *Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// Effect names what a fault does, for the log.
func (f *Fault) Effect() string {
	switch {
	case f.Code != 0:
		return "code " + strconv.Itoa(f.Code)
	case f.HTTPStatus != 0:
		return "http_status " + strconv.Itoa(f.HTTPStatus)
	case f.Drop != "":
		return "drop " + f.Drop
	}
	return "delay " + f.delay().String()
}

// ReadFault reads a control call that sets a fault, in which drop may also be true.
func ReadFault(r *http.Request) (Fault, error) {
	var in struct {
		Fault
		Drop json.RawMessage `json:"drop"`
	}
	if err := Read(r, &in); err != nil {
		return Fault{}, err
	}
	switch string(in.Drop) {
	case "", "null", "false":
	case "true":
		in.Fault.Drop = dropAfter
	default:
		if err := json.Unmarshal(in.Drop, &in.Fault.Drop); err != nil {
			return Fault{}, errors.New(`drop: must be true, "after" or "before"`)
		}
	}
	return in.Fault, nil
}
