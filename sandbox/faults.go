package sandbox

import (
	"cmp"
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
)

// Fault is something that shall go wrong. Exactly one of Code, HTTPStatus,
// DelayMS and Drop says what.
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
	DelayMS    int    `json:"delay_ms,omitempty"`
	Drop       string `json:"drop,omitempty"`
	Times      int    `json:"times"` // how often; 0 is once, -1 for ever
}

// check says what is wrong with a fault, or nil.
func (f Fault) check() error {
	_, known := endpoints[f.Endpoint]
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
	case f.Code != 0 && (f.Code <= codeSuccess || f.Code > 99_999):
		return fmt.Errorf("code: %d is no error code: they have five digits and are above 10000", f.Code)
	case f.HTTPStatus != 0 && (f.HTTPStatus < 200 || f.HTTPStatus > 599):
		return fmt.Errorf("http_status: must be 200 to 599, got %d", f.HTTPStatus)
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
func (s *Sandbox) SetFaults(faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		s.st.faults = append(s.st.faults, &f)
	}
	return nil
}

// Faults lists the faults that are not used up.
func (s *Sandbox) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, 0, len(s.st.faults))
	for _, f := range s.st.faults {
		list = append(list, *f)
	}
	return list
}

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.faults = nil
}

// takeFault returns the fault that strikes now, if any, and uses it once.
func (s *Sandbox) takeFault(name string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.st.faults, func(f *Fault) bool {
		return f.Endpoint == name || f.Endpoint == faultAny && name != faultWebhook
	})
	if at < 0 {
		return nil
	}
	f := *s.st.faults[at]
	if f.Times > 0 {
		if s.st.faults[at].Times--; s.st.faults[at].Times == 0 {
			s.st.faults = slices.Delete(s.st.faults, at, at+1)
		}
	}
	return &f
}

// before lets a fault strike ahead of an API call, and reports whether that was
// the end of the call.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case f.Code != 0:
		writeJSON(w, http.StatusOK, answer{Code: f.Code, Msg: cmp.Or(codes[f.Code], f.effect())})
		return true
	case f.HTTPStatus != 0:
		http.Error(w, http.StatusText(f.HTTPStatus), f.HTTPStatus)
		return true
	case f.Drop == dropBefore:
		panic(http.ErrAbortHandler)
	case f.DelayMS != 0:
		pause(r, f.delay())
	}
	return false
}

func (f *Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// effect names what a fault does, for the log.
func (f *Fault) effect() string {
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
