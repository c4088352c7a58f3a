package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/postgrestest"
)

const (
	clusterConfig  = "examples/cluster/Caddyfile"
	balancerConfig = "examples/cluster/balancer.Caddyfile"

	caddys = 3
	carts  = 12
	// killEvery is how many carts are paid before the next Caddy is killed.
	killEvery = 4
)

// cluster is the demo's stage with several Caddys.
type cluster struct {
	*demo
	database *postgrestest.Server
	nodes    []*process
	balancer *process
	began    time.Time
}

// runCluster starts Caddys that share a ledger, kills all but one of them while buyers
// pay, and compares what the shop saw with what was paid.
func runCluster(ctx context.Context, caddy, config string) (err error) {
	for _, file := range []string{caddy, config, balancerConfig} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w\nrun make build first, and the demo from the top of the repository", err)
		}
	}
	d, err := newDemo()
	if err != nil {
		return err
	}
	c := &cluster{demo: d}
	defer func() {
		if err != nil && ctx.Err() == nil {
			for _, p := range append(c.nodes, c.balancer, d.shop, d.sandbox) {
				if p != nil {
					p.printTail(20)
				}
			}
		}
		err = errors.Join(err, c.close())
	}()
	fmt.Println("starting PostgreSQL, three Caddys on it behind a fourth, the shop, and a sandbox for CCPayment ...")
	if err := c.start(ctx, caddy, config); err != nil {
		return err
	}
	return c.play(ctx)
}

func (c *cluster) start(ctx context.Context, caddy, config string) (err error) {
	if c.database, err = postgrestest.Open(); err != nil {
		return err
	}
	if err := c.buildShop(ctx); err != nil {
		return err
	}
	if err := c.startShop(ctx); err != nil {
		return err
	}
	if err := c.startSandbox(ctx, caddy); err != nil {
		return err
	}
	ports, err := freePorts(2*caddys + 1)
	if err != nil {
		return err
	}
	var sites []string
	for i := range caddys {
		site := net.JoinHostPort(loopback, ports[2*i])
		node, err := c.startCaddy(ctx, fmt.Sprintf("Caddy %d", i+1), ports[2*i], ports[2*i+1], caddy, config, "http://"+site+"/ready")
		if node != nil {
			c.nodes = append(c.nodes, node)
		}
		if err != nil {
			return err
		}
		sites = append(sites, site)
	}
	c.balancer, err = c.startCaddy(ctx, "the balancer", c.sitePort, ports[2*caddys], caddy, balancerConfig, c.siteURL+"/events",
		"CADDYS="+strings.Join(sites, " "))
	c.demo.caddy = c.balancer
	return err
}

// startCaddy returns once the URL is answered.
func (c *cluster) startCaddy(ctx context.Context, name, port, admin, caddy, config, ready string, env ...string) (*process, error) {
	dir := filepath.Join(c.dir, strings.ReplaceAll(name, " ", "-"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	p, err := startProcess(name, filepath.Join(dir, "log"), append(env,
		"CCPAYMENT_APP_ID="+c.credentials.AppID,
		"CCPAYMENT_APP_SECRET="+c.credentials.AppSecret,
		"CCPAYMENT_BASE_URL="+c.apiURL(),
		"SHOP_TOKEN="+c.token,
		"SHOP_BIND="+loopback,
		"SHOP_URL="+c.siteURL,
		"SHOP_LISTEN=:"+port,
		"SHOP_UPSTREAM="+c.shopAddr,
		"DATABASE_URL="+c.database.URL(),
		"CADDY_ADMIN="+net.JoinHostPort(loopback, admin),
		"XDG_DATA_HOME="+dir,
		"XDG_CONFIG_HOME="+dir,
	), caddy, "run", "--config", config, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	return p, p.until(ctx, patience, c.answers(ready))
}

// play has buyers buy and pay, with several clicks each, and kills Caddys meanwhile.
func (c *cluster) play(ctx context.Context) error {
	c.began = time.Now()
	for i := range carts {
		name := fmt.Sprintf("cart-%d", i+1)
		err := c.click(ctx, name, 2*caddys)
		for tries := 1; err != nil && tries < 10; tries++ { // a Caddy died under the click: buyers click again
			c.say("a click on %s met a Caddy that was dying, and is made again", name)
			err = c.click(ctx, name, 2*caddys)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var paid struct{}
		if err := c.control(ctx, http.MethodPost, "pay", payment{OrderID: c.orderID(name)}, &paid); err != nil {
			return err
		}
		if n := i / killEvery; i%killEvery == killEvery-1 && n < caddys-1 {
			c.say("Caddy %d is killed, with %d carts paid", n+1, i+1)
			if err := c.nodes[n].cmd.Process.Kill(); err != nil {
				return err
			}
		}
	}
	c.say("all %d carts are paid: CCPayment sends what was not acknowledged again", carts)
	var events []event
	var failure error
	waited := c.shop.until(ctx, 2*patience, func(ctx context.Context) bool {
		if failure = c.advance(ctx, 10*time.Second); failure == nil {
			events, failure = c.events(ctx)
		}
		return failure == nil && len(shipped(events)) >= carts
	})
	if waited != nil {
		return errors.Join(fmt.Errorf("the shop has shipped %d of %d orders", len(shipped(events)), carts), failure, waited)
	}
	return c.judge(ctx, events)
}

// shipped counts by order how often the shop has shipped it.
func shipped(events []event) map[string]int {
	times := make(map[string]int)
	for _, e := range events {
		if strings.HasPrefix(e.Done, "ships ") {
			times[e.OrderID]++
		}
	}
	return times
}

func (c *cluster) judge(ctx context.Context, events []event) error {
	times := shipped(events)
	again := 0
	for _, e := range events {
		again += e.Times - 1
	}
	for i := range carts {
		name := fmt.Sprintf("cart-%d", i+1)
		if n := times[c.orderID(name)]; n != 1 {
			return fmt.Errorf("%s was shipped %d times", name, n)
		}
		var page string
		waited := c.shop.until(ctx, patience, func(ctx context.Context) bool {
			page, _ = c.shownTo(ctx, name)
			return page == "paid"
		})
		if waited != nil {
			return fmt.Errorf("the page of %s says %q", name, page)
		}
	}
	c.say("each of %d orders is shipped once, by %d events", carts, len(events))
	c.say("calls of the shop that a kill cut off, and that came again with their key: %d", again)
	return nil
}

func (c *cluster) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

func (c *cluster) close() error {
	c.sandbox.stop()
	c.balancer.stop()
	for _, node := range c.nodes {
		node.stop()
	}
	c.shop.stop()
	if c.database != nil {
		c.database.Close()
	}
	return os.RemoveAll(c.dir)
}
