package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// peer is what people use instead, in examples/peers. Redis is measured with
// both ways to sync its file, in its own words.
type peer struct {
	name  string
	start func(r *running) error
}

var peers = []peer{
	{"Express + Redis, everysec", func(r *running) error { return r.node("everysec") }},
	{"Express + Redis, always", func(r *running) error { return r.node("always") }},
	{"webhook + curl", (*running).webhook},
}

// running is a peer that has been started.
type running struct {
	*target
	folder string // examples/peers
	app    string
	dir    string // its data and log; removed at the end
	cmds   []*exec.Cmd
	logs   []string
}

// startPeers starts all that can be. missing says which others cannot, and why.
func (b *bench) startPeers(ctx context.Context) (all []*running, err error) {
	for _, p := range peers {
		r := &running{target: &target{name: p.name, yes: yes, peer: true}, folder: b.peers, app: "http://" + b.app.Addr().String() + "/hook"}
		if r.dir, err = os.MkdirTemp(b.ledgerDir, "bench-"); err != nil {
			return all, err
		}
		err := r.begin(ctx, p)
		if err == nil {
			_, err = b.pace(r.target, 1000, warmingUp)
		}
		if err != nil {
			b.miss(fmt.Errorf("%s: %w", p.name, err))
			r.stop()
			continue
		}
		all = append(all, r)
	}
	return all, nil
}

// miss records why something was not measured, once.
func (b *bench) miss(why error) {
	if !slices.Contains(b.missing, why.Error()) {
		b.missing = append(b.missing, why.Error())
	}
	fmt.Fprintln(os.Stderr, "not measured:", why)
}

func (r *running) begin(ctx context.Context, p peer) error {
	if err := p.start(r); err != nil {
		return err
	}
	for _, cmd := range r.cmds {
		r.processes = append(r.processes, cmd.Process.Pid)
	}
	if err := r.ready(ctx); err != nil {
		for _, log := range r.logs { // why: not for the page
			text, _ := os.ReadFile(log)
			_, _ = os.Stderr.Write(text)
		}
		return err
	}
	return nil
}

// ready waits until it takes a genuine event, and sees that it refuses a forged one.
func (r *running) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	genuine := requests{bytes: build(1, appSecret), answer: r.yes}
	for {
		answered, _, err := load([]string{r.addr}, genuine, 1, time.Second)
		if err == nil && answered == 1 {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("it takes no event: %w", err)
		}
	}
	if answered, _, _ := load([]string{r.addr}, requests{bytes: build(1, "a guess"), answer: r.yes}, 1, time.Second); answered > 0 {
		return errors.New("it took a forged event")
	}
	return nil
}

// node starts Redis, with everything that it needs to remember through a
// restart, and the receiver that a developer writes by hand.
func (r *running) node(flush string) error {
	folder := filepath.Join(r.folder, "node")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "express")); err != nil {
		npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir, npm.Stderr = folder, os.Stderr
		if err := npm.Run(); err != nil {
			return fmt.Errorf("npm ci: %w", err)
		}
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	r.addr = "127.0.0.1:" + ports[0]
	if err := r.run(r.dir, nil, "redis-server", "--bind", "127.0.0.1", "--port", ports[1], "--save", "",
		"--dir", r.dir, "--appendonly", "yes", "--appendfsync", flush); err != nil {
		return err
	}
	return r.run(folder, []string{"REDIS_URL=redis://127.0.0.1:" + ports[1], "PORT=" + ports[0], "NODE_ENV=production"}, "node", "receive.mjs")
}

// webhook starts adnanh/webhook with a shell script behind it.
func (r *running) webhook() error {
	for _, program := range []string{"openssl", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	r.addr = "127.0.0.1:" + ports[0]
	return r.run(filepath.Join(r.folder, "webhook"), nil, "webhook",
		"-hooks", "hooks.json.tmpl", "-template", "-urlprefix", "", "-ip", "127.0.0.1", "-port", ports[0])
}

func (r *running) run(dir string, env []string, name string, args ...string) error {
	log, err := os.Create(filepath.Join(r.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close() // the process has a handle of its own
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), append(env, "CCPAYMENT_APP_ID="+appID, "CCPAYMENT_APP_SECRET="+appSecret, "APP_URL="+r.app)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	r.cmds, r.logs = append(r.cmds, cmd), append(r.logs, log.Name())
	return nil
}

func (r *running) stop() {
	for i := len(r.cmds) - 1; i >= 0; i-- { // what was started last needs the others
		_ = r.cmds[i].Process.Kill() // nothing of it is needed any more
		_ = r.cmds[i].Wait()
	}
	_ = os.RemoveAll(r.dir)
}

func stopAll(all []*running) {
	for _, r := range all {
		r.stop()
	}
}

// versions are those of what the peers are made of.
func (b *bench) versions() string {
	var all []string
	for _, program := range [][]string{
		{"node", "--version"},
		{"redis-server", "--version"},
		{"webhook", "-version"},
		{"curl", "--version"},
		{"openssl", "version"},
	} {
		out, err := exec.Command(program[0], program[1:]...).Output()
		version := string(versionNumber.Find(out))
		if err != nil {
			version = "not installed"
		}
		all = append(all, program[0]+" "+version)
	}
	for _, module := range []string{"express", "redis"} {
		text, err := os.ReadFile(filepath.Join(b.peers, "node", "node_modules", module, "package.json"))
		var of struct{ Version string }
		if err == nil && json.Unmarshal(text, &of) == nil {
			all = append(all, "npm "+module+" "+of.Version)
		}
	}
	return strings.Join(all, ", ")
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)
