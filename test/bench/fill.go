package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// fill adds delivered events to a ledger that has some, up to n of them.
func fill(path string, some, n int) error {
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	const writers = 2000 // whose events share commits
	var next atomic.Int64
	next.Store(int64(some))
	failures := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := int(next.Add(1)); i <= n && failures[w] == nil; i = int(next.Add(1)) {
				failures[w] = put(store, i)
			}
		})
	}
	all.Wait()
	return errors.Join(errors.Join(failures...), store.Close())
}

func put(store *bolt.Store, i int) error {
	id := fmt.Sprintf("20250115%024d", i)
	at := time.Now().Add(-time.Hour)
	e := ledger.Event{
		Key: ledger.Key{
			Record: ledger.Record{Route: "stored", AppID: appID, Type: "ApiDeposit", ID: id},
			Status: "success", Risk: ledger.NotRisky,
		},
		Status: "Success", OrderID: id, GatewayOrderID: id, ReceivedAt: at,
		Request: ledger.Request{Method: "POST", URI: "/hook", Host: "shop.example", RemoteAddr: "127.0.0.1:1", ContentType: "application/json"},
		Body:    []byte(`{"type":"ApiDeposit","msg":{"recordId":"` + id + `","status":"Success","isFlaggedAsRisky":false}}`),
	}
	return store.Accept(context.Background(), e.Key, func(*ledger.Event) *ledger.Change {
		return &ledger.Change{Event: e, Transitions: []ledger.Transition{
			{At: at, State: ledger.Received},
			{At: at, State: ledger.Delivering, Attempt: 1, Seq: 1},
			{At: at, State: ledger.Delivered, Attempt: 1},
		}}
	})
}
