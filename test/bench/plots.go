package main

import (
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/plot"
)

// plots are the pictures of the page, by the names of their files.
func (p *page) plots() map[string][]byte {
	all := map[string][]byte{}
	if len(p.kinds) > 0 {
		all["bench-throughput.svg"] = p.throughputPlot()
	}
	for _, perSecond := range paceRates {
		var each []plot.Series
		for _, t := range p.paces {
			one, ok := t.at(perSecond)
			if !ok {
				continue
			}
			s := plot.Series{Name: t.name, Values: inMilliseconds(one.answers)}
			if one.behind() {
				s.Name += ", falls behind"
			}
			each = append(each, s)
			if t.later {
				each = append(each, plot.Series{Name: "ours, stored, until the app has it", Values: inMilliseconds(one.arrivals)})
			}
		}
		if len(each) > 0 {
			all[latencyPlot(perSecond)] = plot.Lines(fmt.Sprintf("Time to the answer at %s events a second", plot.Thousands(float64(perSecond))),
				"percentile of the events", "ms", []string{"p50", "p95", "p99", "p99.9"}, each)
		}
	}
	if len(p.grown) > 1 {
		all["bench-ledger.svg"] = p.ledgerPlot()
	}
	return all
}

func latencyPlot(perSecond int) string { return fmt.Sprintf("bench-latency-%d.svg", perSecond) }

func (p *page) throughputPlot() []byte {
	const plainColour, ourColour, peerColour = 0, 1, 2
	var each []plot.Bar
	for _, k := range p.kinds {
		if len(k.ratios) == 0 {
			continue
		}
		if len(each) == 0 {
			each = append(each, plot.Bar{Name: plainName, Value: median(rates(k.plain)), Colour: plot.Colours[plainColour]})
		}
		colour := plot.Colours[ourColour]
		if k.to.peer {
			colour = plot.Colours[peerColour]
		}
		each = append(each, plot.Bar{Name: k.name, Value: median(rates(k.measured)), Colour: colour})
	}
	return plot.Bars("As much as it can", "requests a second", each)
}

func (p *page) ledgerPlot() []byte {
	var places []string
	half, nearly := plot.Series{Name: "p50"}, plot.Series{Name: "p99"}
	for _, g := range p.grown {
		places = append(places, plot.Thousands(float64(g.events)))
		values := inMilliseconds(g.paced.answers)
		half.Values, nearly.Values = append(half.Values, values[0]), append(nearly.Values, values[2])
	}
	return plot.Lines("Time to the acknowledgement at 1,000 events a second", "events in the ledger", "ms", places, []plot.Series{half, nearly})
}

func inMilliseconds(answers []time.Duration) (values []float64) {
	for _, p := range shownPercentiles {
		values = append(values, percentile(answers, p).Seconds()*1000)
	}
	return values
}
