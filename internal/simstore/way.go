package simstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// Way is the way to a store on which what processes do about events, orders and looks may
// take its time, and fail.
type Way struct {
	ledger.Cluster
	// Step is called with each step: op names it, and what it is about.
	Step func(op, what string, do func() error) error
}

// NameOf names an event in histories.
func NameOf(k ledger.Key) string { return k.ID + "." + k.Status }

func step[T any](w Way, op, what string, do func() (T, error)) (result T, err error) {
	err = w.Step(op, what, func() (err error) { result, err = do(); return err })
	return result, err
}

// Keep implements [ledger.Cluster].
func (w Way) Keep(ctx context.Context, about ledger.Session, held []uint64) (ledger.News, error) {
	return step(w, "Keep", "", func() (ledger.News, error) { return w.Cluster.Keep(ctx, about, held) })
}

// Take implements [ledger.Cluster]. Where the answer is lost, so are the leases.
func (w Way) Take(ctx context.Context, route string, ttl time.Duration, limit int) ([]ledger.Taken, error) {
	all, err := step(w, "Take", route, func() ([]ledger.Taken, error) { return w.Cluster.Take(ctx, route, ttl, limit) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Claim implements [ledger.Store].
func (w Way) Claim(ctx context.Context, r ledger.Record, ttl time.Duration) (ledger.Claim, error) {
	return step(w, "Claim", r.Type+r.ID, func() (ledger.Claim, error) { return w.Cluster.Claim(ctx, r, ttl) })
}

// Commit implements [ledger.Store].
func (w Way) Commit(ctx context.Context, claim ledger.Claim, changes []ledger.Change) error {
	var what strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&what, "%s to %s ", NameOf(c.Event.Key), c.Transitions[len(c.Transitions)-1].State)
	}
	return w.Step("Commit", what.String(), func() error { return w.Cluster.Commit(ctx, claim, changes) })
}

// Accept implements [ledger.Store].
func (w Way) Accept(ctx context.Context, key ledger.Key, decide func(*ledger.Event) *ledger.Change) error {
	return w.Step("Accept", NameOf(key), func() error { return w.Cluster.Accept(ctx, key, decide) })
}

// Bind implements [ledger.Store].
func (w Way) Bind(ctx context.Context, claim ledger.Claim, change ledger.Change, flags []ledger.Flag) ([]bool, error) {
	return step(w, "Bind", NameOf(change.Event.Key), func() ([]bool, error) { return w.Cluster.Bind(ctx, claim, change, flags) })
}

// Unlock implements [ledger.Store].
func (w Way) Unlock(ctx context.Context, claim ledger.Claim) error {
	return w.Step("Unlock", claim.Record.Type+claim.Record.ID, func() error { return w.Cluster.Unlock(ctx, claim) })
}

// UpdateOrder implements [ledger.Store].
func (w Way) UpdateOrder(ctx context.Context, id ledger.OrderID, update func(*ledger.Order)) error {
	return w.Step("UpdateOrder", id.ID, func() error { return w.Cluster.UpdateOrder(ctx, id, update) })
}

// SaveLook implements [ledger.Store].
func (w Way) SaveLook(ctx context.Context, look ledger.Look) error {
	return w.Step("SaveLook", "", func() error { return w.Cluster.SaveLook(ctx, look) })
}

// Load implements [ledger.Reader].
func (w Way) Load(ctx context.Context, key ledger.Key) (ledger.Event, error) {
	return step(w, "Load", NameOf(key), func() (ledger.Event, error) { return w.Cluster.Load(ctx, key) })
}

// LoadOrder implements [ledger.Reader].
func (w Way) LoadOrder(ctx context.Context, id ledger.OrderID) (ledger.Order, error) {
	return step(w, "LoadOrder", id.ID, func() (ledger.Order, error) { return w.Cluster.LoadOrder(ctx, id) })
}

// OrderOf implements [ledger.Reader].
func (w Way) OrderOf(ctx context.Context, id ledger.OrderID) (ledger.Order, error) {
	return step(w, "OrderOf", id.ID, func() (ledger.Order, error) { return w.Cluster.OrderOf(ctx, id) })
}

// Orders implements [ledger.Reader].
func (w Way) Orders(ctx context.Context, query ledger.OrderQuery) (ledger.OrderPage, error) {
	return step(w, "Orders", "", func() (ledger.OrderPage, error) { return w.Cluster.Orders(ctx, query) })
}

// Ending implements [ledger.Reader].
func (w Way) Ending(ctx context.Context, until time.Time, limit int) ([]ledger.Order, error) {
	return step(w, "Ending", "", func() ([]ledger.Order, error) { return w.Cluster.Ending(ctx, until, limit) })
}

// LoadLook implements [ledger.Reader].
func (w Way) LoadLook(ctx context.Context, appID string) (ledger.Look, error) {
	return step(w, "LoadLook", "", func() (ledger.Look, error) { return w.Cluster.LoadLook(ctx, appID) })
}

// Find implements [ledger.Reader].
func (w Way) Find(ctx context.Context, eventID string) ([]ledger.Key, error) {
	return step(w, "Find", eventID, func() ([]ledger.Key, error) { return w.Cluster.Find(ctx, eventID) })
}

// List implements [ledger.Reader].
func (w Way) List(ctx context.Context, query ledger.Query) (ledger.Page, error) {
	return step(w, "List", "", func() (ledger.Page, error) { return w.Cluster.List(ctx, query) })
}

// Holds implements [ledger.Reader].
func (w Way) Holds(ctx context.Context, key ledger.Key, flags []ledger.Flag) ([]bool, error) {
	return step(w, "Holds", NameOf(key), func() ([]bool, error) { return w.Cluster.Holds(ctx, key, flags) })
}

// Bound implements [ledger.Reader].
func (w Way) Bound(ctx context.Context, flags []ledger.Flag) ([]bool, error) {
	return step(w, "Bound", flags[0].ID, func() ([]bool, error) { return w.Cluster.Bound(ctx, flags) })
}

// Due implements [ledger.Reader].
func (w Way) Due(ctx context.Context, route string, from time.Time, limit int) ([]ledger.Due, error) {
	return step(w, "Due", route, func() ([]ledger.Due, error) { return w.Cluster.Due(ctx, route, from, limit) })
}
