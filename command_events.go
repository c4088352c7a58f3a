package ccpayment

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func eventsCommand() *cobra.Command {
	return commandGroup(&cobra.Command{
		Use:   "events <subcommand>",
		Short: "Lists, shows and steers the events of the Caddy that runs",
		Long: `
Lists, shows and steers the events in the ledger of the Caddy that runs. An
event's id is the Idempotency-Key that the app gets.

    caddy ccpayment events list --state held
    caddy ccpayment events show <id>
    caddy ccpayment events release <id> --reason "cleared by CCPayment"`,
	}, listEventsCommand(), showEventCommand(), replayCommand(), releaseCommand(), discardCommand())
}

// eventFilters are the flags that select events, by their names in JSON and in
// a query.
var eventFilters = []struct{ name, usage string }{
	{"state", "State: received, confirming, delivering, retrying, delivered, held, dead, superseded, ignored, discarded"},
	{"type", "Type, such as ApiDeposit"},
	{"status", "Status, such as success"},
	{"order_id", "Order id, as the app knows it"},
	{"record_id", "Record id"},
	{"route", "Name of the route"},
	{"since", "Received since then: a time such as 2026-01-31T12:00:00Z, or so long ago, such as 3h"},
	{"until", "Received until then: likewise"},
}

func flagName(filter string) string { return strings.ReplaceAll(filter, "_", "-") }

func addEventFilters(cmd *cobra.Command) {
	for _, f := range eventFilters {
		cmd.Flags().String(flagName(f.name), "", f.usage)
	}
}

// givenFilters are the filters that stand on the command line.
func givenFilters(fl caddycmd.Flags) map[string]string {
	given := make(map[string]string)
	for _, f := range eventFilters {
		if value := fl.String(flagName(f.name)); value != "" {
			given[f.name] = value
		}
	}
	if status, ok := given["status"]; ok {
		given["status"] = strings.ToLower(status) // as the ledger's keys have it
	}
	return given
}

func listEventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [--state <state>] [--order-id <id>] [--since 3h] [--limit <n>]",
		Short: "Lists events, newest first",
		Long: `
Lists events, newest first. What is held, dead or tried again has its cause in
the last column. Filters add up.`,
	}
	addEventFilters(cmd)
	cmd.Flags().Int("limit", defaultPage, "How many at most")
	cmd.Flags().Bool("json", false, "Print JSON, as the admin endpoint answers it")
	return serverCommand(cmd, func(admin *adminClient, fl caddycmd.Flags) error {
		if err := noArguments(fl); err != nil {
			return err
		}
		if err := noAccount(fl); err != nil {
			return err
		}
		query := url.Values{}
		for name, value := range givenFilters(fl) {
			query.Set(name, value)
		}
		events, next, err := admin.pages("events", query, fl.Int("limit"))
		if err != nil {
			return err
		}
		if fl.Bool("json") {
			return printPage("events", events, next)
		}
		return printEvents(events, next)
	})
}

// pages follows the pages of a list up to so many entries. next is not empty
// if there are more.
func (a *adminClient) pages(list string, query url.Values, limit int) (entries []json.RawMessage, next string, err error) {
	if limit < 1 {
		return nil, "", subcommand.Fail(exitUsage, "--limit must be 1 or more")
	}
	for {
		query.Set("limit", strconv.Itoa(min(limit-len(entries), largestPage)))
		answer, err := a.get(list, query)
		if err != nil {
			return nil, "", err
		}
		var page struct {
			Events, Orders []json.RawMessage
			Next           string
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return nil, "", unreadable(err)
		}
		entries = append(append(entries, page.Events...), page.Orders...)
		if page.Next == "" || len(entries) >= limit {
			return entries, page.Next, nil
		}
		query.Set("cursor", page.Next)
	}
}

// printPage prints a list as the admin endpoint does, as one page.
func printPage(list string, entries []json.RawMessage, next string) error {
	if entries == nil {
		entries = []json.RawMessage{}
	}
	page := map[string]any{list: entries}
	if next != "" {
		page["next"] = next
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(page)
}

func unreadable(err error) error {
	return subcommand.Fail(exitUnreachable, "the running Caddy's answer cannot be read: is it of another version? (%w)", err)
}

func printEvents(entries []json.RawMessage, next string) error {
	events := make([]eventView, len(entries))
	routes := make(map[string]bool)
	for i, entry := range entries {
		if err := json.Unmarshal(entry, &events[i]); err != nil {
			return unreadable(err)
		}
		routes[events[i].Route] = true
	}
	if len(events) == 0 {
		fmt.Println("No events.")
		return nil
	}
	t := table{{"ID", "RECEIVED", "STATE", "TYPE", "STATUS", "ORDER OR RECORD", "TRIES", "CARRIES", "CAUSE"}}
	for _, e := range events {
		t.add(e.ID, localTime(e.ReceivedAt), e.State.String(), e.Type, e.Status, eventSubject(e), strconv.Itoa(e.Attempts), eventFlag(e), eventCause(e))
	}
	if len(routes) > 1 { // else it says nothing
		t[0] = slices.Insert(t[0], 2, "ROUTE")
		for i, e := range events {
			t[i+1] = slices.Insert(t[i+1], 2, e.Route)
		}
	}
	t.print()
	if next != "" {
		fmt.Fprintln(os.Stderr, "There are more: raise --limit.")
	}
	return nil
}

// eventSubject is what an event is about, in the app's words where there are some.
func eventSubject(e eventView) string {
	for _, id := range []string{e.OrderID, e.ReferenceID, e.UserID, e.RecordID} {
		if id != "" {
			return id
		}
	}
	return ""
}

// eventFlag names the flag that an event brings to the app.
func eventFlag(e eventView) string {
	switch {
	case e.Fulfill:
		return "fulfill"
	case e.Credit:
		return "credit"
	default:
		return ""
	}
}

// eventCause is why an event is not with the app.
func eventCause(e eventView) string {
	switch e.State {
	case ledger.Held, ledger.Dead, ledger.Retrying:
		return e.LastError
	default:
		return ""
	}
}

func showEventCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show <id> [--route <name>]",
		Short: "Shows an event and everything that happened to it",
		Long: `
Shows an event: what happened to it, in order; what CCPayment's records said, as
the headers that the app gets; and its body, as it was received.`,
	}
	cmd.Flags().String("route", "", "Name of the route, where the event came on several")
	cmd.Flags().Bool("json", false, "Print JSON, as the admin endpoint answers it")
	return serverCommand(cmd, func(admin *adminClient, fl caddycmd.Flags) error {
		if fl.NArg() != 1 {
			return subcommand.Fail(exitUsage, "name one event by its id: caddy ccpayment events list shows them")
		}
		if err := noAccount(fl); err != nil {
			return err
		}
		answer, err := admin.get("events/"+url.PathEscape(fl.Arg(0)), routeQuery(fl))
		if err != nil {
			return advise(err, "caddy ccpayment events list shows the ids")
		}
		if fl.Bool("json") {
			printRaw(answer)
			return nil
		}
		var e eventDetails
		if err := json.Unmarshal(answer, &e); err != nil {
			return unreadable(err)
		}
		printEvent(e)
		return nil
	})
}

func routeQuery(fl caddycmd.Flags) url.Values {
	query := url.Values{}
	if route := fl.String("route"); route != "" {
		query.Set("route", route)
	}
	return query
}

func printEvent(e eventDetails) {
	var about table
	for _, line := range [][2]string{
		{"Event", e.ID},
		{"Type", e.Type},
		{"Status", e.Status},
		{"State", e.State.String()},
		{"Cause", eventCause(e.eventView)},
		{"Account", e.Account},
		{"Route", e.Route},
		{"Order", e.OrderID},
		{"Reference", e.ReferenceID},
		{"User", e.UserID},
		{"Record", e.RecordID},
		{"Risky", string(e.Risky)},
		{"Received", localTime(e.ReceivedAt)},
		{"Delivered", localTimeOf(e.DeliveredAt)},
		{"Next attempt", localTimeOf(e.NextAttemptAt)},
		{"Attempts", strconv.Itoa(e.Attempts)},
	} {
		if line[1] != "" {
			about.add(line[0], line[1])
		}
	}
	about.print()

	fmt.Println("\nWhat happened")
	var steps table
	for _, step := range e.Transitions {
		attempt := ""
		if step.Attempt > 0 {
			attempt = fmt.Sprintf("attempt %d", step.Attempt)
		}
		steps.add("  "+localTime(step.At), step.State.String(), attempt, step.Cause)
	}
	steps.print()

	if e.Confirmation != nil {
		fmt.Printf("\nWhat CCPayment's records said at %s\n", localTime(e.Confirmation.At))
		headers := moneyHeaders(e.Confirmation)
		slices.SortStableFunc(headers, func(a, b headerField) int { return strings.Compare(a.name, b.name) })
		for _, h := range headers {
			if h.value != "" {
				fmt.Printf("  %s: %s\n", h.name, printable(h.value))
			}
		}
	}

	fmt.Println("\nBody")
	if e.BodyDamaged {
		fmt.Println("  damaged in the ledger's file: ask CCPayment to send the event again")
		return
	}
	if e.Body == nil {
		fmt.Println("  pruned: it was kept for the ledger's retention time")
		return
	}
	for line := range strings.Lines(*e.Body) {
		fmt.Println(strings.TrimRight("  "+printable(strings.TrimRight(line, "\r\n")), " "))
	}
}
