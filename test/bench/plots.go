package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// plots are the pictures of the page, by the names of their files.
func (p *page) plots() map[string][]byte {
	all := map[string][]byte{}
	if len(p.kinds) > 0 {
		all["bench-throughput.svg"] = p.throughputPlot()
	}
	for _, perSecond := range paceRates {
		var each []series
		for _, t := range p.paces {
			one, ok := t.at(perSecond)
			if !ok {
				continue
			}
			s := series{name: t.name, values: inMilliseconds(one.answers)}
			if one.behind() {
				s.name += ", falls behind"
			}
			each = append(each, s)
			if t.later {
				each = append(each, series{name: "ours, stored, until the app has it", values: inMilliseconds(one.arrivals)})
			}
		}
		if len(each) > 0 {
			all[latencyPlot(perSecond)] = lines(fmt.Sprintf("Time to the answer at %s events a second", thousands(float64(perSecond))),
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
	var each []bar
	for _, k := range p.kinds {
		if len(k.ratios) == 0 {
			continue
		}
		if len(each) == 0 {
			each = append(each, bar{plainName, median(rates(k.plain)), colours[plainColour]})
		}
		colour := colours[ourColour]
		if k.to.peer {
			colour = colours[peerColour]
		}
		each = append(each, bar{k.name, median(rates(k.measured)), colour})
	}
	return bars("As much as it can", "requests a second", each)
}

func (p *page) ledgerPlot() []byte {
	var places []string
	half, nearly := series{name: "p50"}, series{name: "p99"}
	for _, g := range p.grown {
		places = append(places, thousands(float64(g.events)))
		values := inMilliseconds(g.paced.answers)
		half.values, nearly.values = append(half.values, values[0]), append(nearly.values, values[2])
	}
	return lines("Time to the acknowledgement at 1,000 events a second", "events in the ledger", "ms", places, []series{half, nearly})
}

func inMilliseconds(answers []time.Duration) (values []float64) {
	for _, p := range shownPercentiles {
		values = append(values, percentile(answers, p).Seconds()*1000)
	}
	return values
}

// decade writes ten to the power of e.
func decade(e float64) string {
	if e < 0 {
		return strconv.FormatFloat(math.Pow(10, e), 'f', -1, 64)
	}
	return thousands(math.Pow(10, e))
}
