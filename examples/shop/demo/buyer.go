package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// placed is what a buyer got for a click on "Buy and pay".
type placed struct {
	OrderID     string `json:"order_id"`
	CheckoutURL string `json:"checkout_url"`
	StatusToken string `json:"status_token"`
	statusPath  string
}

// buy sends a cart to the shop, to be paid at CCPayment.
func (d *demo) buy(ctx context.Context, name string) error { return d.buyAt(ctx, "", name) }

// buyAt sends a cart to the shop as its pages do, with the account that the buyer chose,
// and has Caddy make a checkout of the shop's 402. A browser would be redirected; a
// program gets JSON.
func (d *demo) buyAt(ctx context.Context, account, name string) error {
	var p placed
	form := url.Values{"cart": {name}, "cap": {"1"}, "account": {account}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.siteURL+"/buy", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := d.ask(request, &p); err != nil {
		return err
	}
	if p.statusPath = "/status"; account != "" {
		p.statusPath = "/" + account + "-status"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.orders[name]; ok && known != p {
		return fmt.Errorf("a cart that was sent again got %+v, and before %+v", p, known)
	}
	d.orders[name] = p
	return nil
}

// click sends the same cart many times at once.
func (d *demo) click(ctx context.Context, name string, times int) error {
	failures := make([]error, times)
	var all sync.WaitGroup
	for i := range failures {
		all.Go(func() { failures[i] = d.buy(ctx, name) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// buyAndPay buys a cap and pays for it.
func (d *demo) buyAndPay(ctx context.Context, p payment) ([]webhook, error) {
	if err := d.buy(ctx, p.OrderID); err != nil {
		return nil, err
	}
	return d.pay(ctx, p)
}

// orderID is the shop's id of an order that the steps have a name for; of one
// that was never made it is the name.
func (d *demo) orderID(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, ok := d.orders[name]; ok {
		return p.OrderID
	}
	return name
}

// shownTo is what the buyer's page says of the order, as it asks Caddy itself.
func (d *demo) shownTo(ctx context.Context, name string) (string, error) {
	d.mu.Lock()
	p, ok := d.orders[name]
	d.mu.Unlock()
	if !ok {
		return "", nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.siteURL+p.statusPath+"?t="+url.QueryEscape(p.StatusToken), nil)
	if err != nil {
		return "", err
	}
	var status struct {
		State string `json:"state"`
	}
	err = d.ask(request, &status)
	return status.State, err
}

// ask sends a request and reads the answer.
func (d *demo) ask(request *http.Request, answer any) error {
	response, err := d.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %d: %s", request.URL.Path, response.StatusCode, text)
	}
	return json.Unmarshal(text, answer)
}
