package main

import (
	"os"
	"regexp"
	"strings"
)

// inProcess is one line of go test -bench.
type inProcess struct {
	name    string
	figures []string // a number and its unit each
}

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.+)$`)

func readInProcess(file string) (all []inProcess, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, line := range benchLine.FindAllStringSubmatch(string(text), -1) {
		one := inProcess{name: line[1]}
		for figure := range strings.SplitSeq(line[2], "\t") {
			one.figures = append(one.figures, strings.TrimSpace(figure))
		}
		all = append(all, one)
	}
	return all, nil
}

func (p *page) inProcessTable() {
	explained := map[string]string{
		"VerifyAndRead":        "verifying and reading one 300-byte delivery",
		"ClaimDelivered":       "deciding on a copy of a delivered event",
		"Commit":               "one durable commit, 128 at once",
		"Webhook/Fresh":        "a fresh event in the handler, 64 at once, to an app that takes no time",
		"Webhook/Copy":         "a copy of a delivered event in the handler",
		"Webhook/Forged":       "a forged delivery in the handler",
		"Webhook/Acknowledged": "an event stored in the handler, 64 at once, while the app is down",
		"Confirm/deposit":      "confirming 64 deposits at once, one call of 20 ms each",
		"Confirm/order":        "confirming payments of 64 orders at once, two calls each",
		"Confirm/invoice":      "confirming payments of 64 invoices at once, two calls each",
		"Confirm/one-order":    "confirming 64 payments of one order at once, which share calls",
	}
	p.printf("\n### In the process\n\n| | of `go test -bench` |\n| --- | --- |\n")
	for _, one := range p.inProcess {
		name := one.name
		if isOfStores(name) {
			continue
		}
		if explained[name] != "" {
			name = explained[name]
		}
		p.printf("| %s | %s |\n", name, strings.Join(one.figures, ", "))
	}
}
