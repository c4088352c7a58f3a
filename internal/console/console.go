// Package console is the operator's page: what the ledger has, and the steps that people
// take with it, as HTML that needs no script.
//
// The view is the last part of the path and every link is relative, so the page works
// under any prefix, whether it is stripped on the way or not. Ids are in the query, never
// in the path.
package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/operator"
)

// Handler serves the page. It is safe for concurrent use.
type Handler struct {
	// Use calls a function with the operator of the configuration that works.
	Use operator.Use
	// Orders says how an order stands.
	Orders adminapi.ReadOrder
	// Works are the steps with many events, and Hour what the last hour was like, both of
	// this process.
	Works *operator.Works
	Hour  *operator.Hour
	// ReadOnly: nobody may change anything.
	ReadOnly bool

	looking looking
}

// visit is one request of one user.
type visit struct {
	*Handler
	ctx   context.Context
	o     *operator.Operator
	r     *http.Request
	query url.Values
	user  string
}

// now is the time in the zone of the machine, in which all times are shown and read.
func (v *visit) now() time.Time { return v.o.Now().Local() }

// views are the pages by the last part of their paths.
var views = map[string]func(*visit) (answer, error){
	"":        (*visit).showNow,
	"events":  (*visit).showEvents,
	"event":   (*visit).showEvent,
	"order":   (*visit).showOrder,
	"held":    (*visit).showHeld,
	"missing": (*visit).showMissing,
	"many":    (*visit).showMany,
	"export":  (*visit).showExport,
}

// steps are what POST does, by the last part of the path.
var steps = map[string]func(*visit) (answer, error){
	"event":   (*visit).takeStep,
	"order":   (*visit).closeOrder,
	"many":    (*visit).beginMany,
	"stop":    (*visit).stopMany,
	"missing": (*visit).lookNow,
	"dismiss": (*visit).dismiss,
}

// answer is what a view answers with: a page, a redirect, or a stream.
type answer struct {
	template string
	page     page
	// location is where the browser is sent with GET, as a relative address.
	location string
	// stream, if set, writes the answer by itself.
	stream func(http.ResponseWriter) error
}

// ServeHTTP answers a request of the user, who is empty where nobody has told who it is.
// asked is the path that the browser asked for, before any rewrite. The error is that of
// writing to the client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, asked, user string) error {
	secure(w.Header())
	if user = strings.TrimSpace(user); user == "" {
		return writeRefusal(w, "", &adminapi.Error{Status: http.StatusForbidden, Err: errNoUser})
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if content, ok := assets[name]; ok && isRead(r) {
		return content.write(w, r)
	}
	if name == "" && !strings.HasSuffix(asked, "/") { // else the links would lead to the folder above
		w.Header().Set("Location", "./"+url.PathEscape(path.Base(asked))+"/")
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	view, isView := views[name]
	step, isStep := steps[name]
	var err error
	switch {
	case !isView && !isStep:
		err = &adminapi.Error{Status: http.StatusNotFound, Err: errors.New("there is no such page")}
	case isRead(r) && isView:
	case r.Method == http.MethodPost && isStep:
		view, err = step, h.mayPost(r)
	default:
		allowed := "GET, HEAD"
		if !isView {
			allowed = http.MethodPost
		}
		w.Header().Set("Allow", allowed)
		err = &adminapi.Error{Status: http.StatusMethodNotAllowed, Err: errors.New("use " + allowed)}
	}
	if err != nil {
		return writeRefusal(w, user, err)
	}
	// The ledger stays open until the answer is written: an export is read meanwhile.
	var written error
	err = h.Use(func(o *operator.Operator) error {
		v := &visit{Handler: h, ctx: r.Context(), o: o, r: r, query: r.URL.Query(), user: user}
		a, err := view(v)
		if err != nil {
			return err
		}
		written = v.write(w, a)
		return nil
	})
	if err != nil {
		return writeRefusal(w, user, adminapi.Explain(err))
	}
	return written
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }
