package console

import (
	"net/http"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/redact"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

type exportView struct {
	Filter adminapi.Filter
	Fields [][2]string
	States []ledger.State
	Files  []preset
}

// Button says what the filter's button does.
func (exportView) Button() string { return "Select" }

// showExport offers the files of what the filter selects, and sends the one that the
// parameter `what` names.
func (v *visit) showExport() (answer, error) {
	values := given(v.query)
	if what := values.Get("what"); what != "" {
		values.Del("what")
		export, err := adminapi.ReadExport(what, values, v.now())
		if err != nil {
			return answer{}, err
		}
		return answer{stream: func(w http.ResponseWriter) error {
			return export.Serve(v.ctx, w, v.o, v.Orders, redact.Emails)
		}}, nil
	}
	filter, _, err := v.filter(values)
	if err != nil {
		return answer{}, err
	}
	view := exportView{Filter: filter, Fields: fieldsOf(filter), States: states()}
	orders, which := adminapi.Filter{Account: filter.Account}, "All orders" // the rest is of events
	if filter.Account != "" {
		which = "All orders of the account"
	}
	for _, file := range []struct {
		what, format, name string
		filter             adminapi.Filter
	}{
		{"events", adminapi.CSV, "Events as CSV", filter},
		{"events", adminapi.JSONLines, "Events as JSON lines", filter},
		{"payments", adminapi.CSV, "Payments as CSV", filter},
		{"payments", adminapi.JSONLines, "Payments as JSON lines", filter},
		{"orders", adminapi.CSV, which + " as CSV", orders},
		{"orders", adminapi.JSONLines, which + " as JSON lines", orders},
	} {
		values := file.filter.Values()
		values.Set("what", file.what)
		values.Set("format", file.format)
		view.Files = append(view.Files, preset{file.name, address("export", values)})
	}
	return answer{template: "export.html", page: page{Title: "Export", At: "export", View: view}}, nil
}
