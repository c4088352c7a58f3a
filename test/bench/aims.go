package main

import (
	"fmt"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/test/plot"
)

// aim is a figure that was set before it was measured.
type aim struct {
	what      string
	unit      string
	want, got float64
	atMost    bool // less is better
}

// share is how much of the aim is reached: 1 or more is all.
func (a aim) share() float64 {
	if !a.atMost {
		return a.got / a.want
	}
	return a.want / max(a.got, a.want/100) // nothing, or less than before, is far below any limit
}

func (p *page) aims() (all []aim) {
	for _, k := range p.kinds {
		if k.aim > 0 && len(k.ratios) > 0 {
			all = append(all, aim{what: k.name, unit: "× plain", want: k.aim, got: median(k.ratios)})
		}
		if l := k.limit; l != nil && len(l.ratios) > 0 {
			all = append(all, aim{what: k.name + ", to " + l.name, unit: "× the limit", want: l.aim, got: median(l.ratios)})
		}
	}
	if len(p.downloads) > 0 {
		all = append(all, aim{what: "downloads of 100 MiB through `intercept`", unit: "× plain", want: 0.97, got: median(p.downloads)})
	}
	limits := map[int]time.Duration{200: 2 * time.Millisecond, 1000: 5 * time.Millisecond} // for p95
	for _, t := range p.paces {
		for _, one := range t.paces {
			if limit, ok := limits[one.perSecond]; ok && t.name == storedName {
				all = append(all, aim{
					what: fmt.Sprintf("%s events a second: sent to app, p95", plot.Thousands(float64(one.perSecond))), unit: "ms", atMost: true,
					want: limit.Seconds() * 1000, got: percentile(one.arrivals, 0.95).Seconds() * 1000,
				})
			}
		}
	}
	if n := len(p.grown); n > 1 {
		smallest, largest := p.grown[0], p.grown[n-1]
		of := plot.Thousands(float64(largest.events)) + " events in the ledger: "
		grew := max(largest.fresh.anonymous-smallest.fresh.anonymous, largest.loaded.anonymous-smallest.loaded.anonymous)
		all = append(all,
			aim{what: of + "acknowledgements", unit: "× an empty one's", want: 0.9, got: median(largest.ratios)},
			aim{what: of + "anonymous memory, more than an empty one's", unit: "MiB", want: 64, got: float64(grew) / (1 << 20), atMost: true})
	}
	return all
}

func (p *page) aimTable() {
	all := p.aims()
	if len(all) == 0 {
		return
	}
	p.printf("\n### Aims\n\n| | aim | figure | of the aim | met |\n| --- | ---: | ---: | ---: | --- |\n")
	for _, a := range all {
		bound, met, share := "≥", "yes", fmt.Sprintf("%.2f", a.share())
		if a.atMost {
			bound = "≤"
		}
		if a.share() < 1 {
			met = "**no**"
		} else if a.share() > 10 {
			share = "> 10"
		}
		p.printf("| %s | %s %.4g %s | %.2f %s | %s | %s |\n", a.what, bound, a.want, a.unit, a.got, a.unit, share, met)
	}
}
