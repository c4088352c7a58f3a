package cli

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/confirm"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

func eventsCommand() *cobra.Command {
	return addGroup(&cobra.Command{
		Use:   "events <subcommand>",
		Short: "Lists, shows and steers the events of the Caddy that runs",
		Long: `
Lists, shows and steers the events in the ledger of the Caddy that runs. An
event's id is the Idempotency-Key that the app gets.

    caddy ccpayment events list --state held
    caddy ccpayment events show <id>
    caddy ccpayment events release <id> --reason "cleared by CCPayment"`,
	}, listEventsCommand(), showEventCommand(), exportEventsCommand(), replayCommand(), releaseCommand(), discardCommand())
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
	{"text", "A part of an id, the type, the status or the last error"},
	{"since", "Received since then: " + adminapi.TimeForms + zoneNote},
	{"until", "Received until then: likewise"},
}

// zoneNote names the zone of times that name none, which is the one of the times that
// commands print.
const zoneNote = " (without a zone: in this machine's)"

func flagName(filter string) string { return strings.ReplaceAll(filter, "_", "-") }

func addEventFilters(cmd *cobra.Command) {
	for _, f := range eventFilters {
		cmd.Flags().String(flagName(f.name), "", f.usage)
	}
}

// givenFilter is the filter that stands on the command line. Its times are exact: what
// is meant in this machine's zone need not be in Caddy's.
func givenFilter(fl caddycmd.Flags) (adminapi.Filter, error) {
	var given adminapi.Filter
	fields := given.Fields()
	for _, f := range eventFilters {
		*fields[f.name] = fl.String(flagName(f.name))
	}
	given.Status = strings.ToLower(given.Status) // as the ledger's keys have it
	now := time.Now()
	for _, name := range []string{"since", "until"} {
		at, err := adminapi.ReadTime("--"+name, *fields[name], now)
		if err != nil {
			return given, subcommand.Fail(exitUsage, "%w", err)
		}
		if !at.IsZero() {
			*fields[name] = at.UTC().Format(time.RFC3339Nano)
		}
	}
	return given, nil
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
	return listCommand(cmd, "events", func(fl caddycmd.Flags) (url.Values, error) {
		given, err := givenFilter(fl)
		return given.Values(), errors.Join(err, noAccount(fl))
	}, printEvents)
}

func printEvents(events []adminapi.Event) {
	routes := make(map[string]bool)
	t := table{{"ID", "RECEIVED", "STATE", "TYPE", "STATUS", "ORDER OR RECORD", "TRIES", "CARRIES", "CAUSE"}}
	for _, e := range events {
		routes[e.Route] = true
		t.add(e.ID, localTime(e.ReceivedAt), e.State.String(), e.Type, e.Status, eventSubject(e), strconv.Itoa(e.Attempts), eventFlag(e), eventCause(e))
	}
	if len(routes) > 1 { // else it says nothing
		t[0] = slices.Insert(t[0], 2, "ROUTE")
		for i, e := range events {
			t[i+1] = slices.Insert(t[i+1], 2, e.Route)
		}
	}
	t.print()
}

// eventSubject is what an event is about, in the app's words where there are some.
func eventSubject(e adminapi.Event) string {
	for _, id := range []string{e.OrderID, e.ReferenceID, e.UserID, e.RecordID} {
		if id != "" {
			return id
		}
	}
	return ""
}

// eventFlag names the flag that an event carries to the app.
func eventFlag(e adminapi.Event) string {
	switch {
	case e.Fulfill:
		return "fulfill"
	case e.Credit:
		return "credit"
	case e.Payout != "":
		return "payout"
	default:
		return ""
	}
}

// eventCause is why an event is not delivered.
func eventCause(e adminapi.Event) string {
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
Shows an event: what happened to it, in order; what the gateway's records said, as
the headers that the app gets; what the app answered; and the event's body, as it
was received. With --json also the request that the app got.`,
	}
	cmd.Flags().String("route", "", "Name of the route, where the event came on several")
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if fl.NArg() != 1 {
			return subcommand.Fail(exitUsage, "name one event by its id: caddy ccpayment events list shows them")
		}
		if err := noAccount(fl); err != nil {
			return err
		}
		answer, err := admin.Event(fl.Arg(0), fl.String("route"))
		if err != nil {
			return advise(err, "caddy ccpayment events list shows the ids")
		}
		return printAnswer(fl, answer, printEvent)
	})
}

func printEvent(e adminapi.EventDetails) {
	printAbout([][2]string{
		{"Event", e.ID},
		{"Type", e.Type},
		{"Status", e.Status},
		{"State", e.State.String()},
		{"Cause", eventCause(e.Event)},
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
	})

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
		fmt.Printf("\nWhat the gateway's records said at %s\n", localTime(e.Confirmation.At))
		headers := confirm.Headers(e.Confirmation)
		slices.SortFunc(headers, func(a, b confirm.Header) int { return strings.Compare(a.Name, b.Name) })
		for _, h := range headers {
			fmt.Printf("  %s: %s\n", h.Name, printable(h.Value))
		}
	}

	printAppAnswers(e.Answers)
	fmt.Println("\nBody")
	if e.BodyDamaged {
		fmt.Println("  damaged in the ledger's file: have the gateway send the event again")
		return
	}
	if e.Body == nil {
		fmt.Println("  pruned: it was kept for the ledger's retention time")
		return
	}
	printText(*e.Body)
}

// printAppAnswers prints what the app answered.
func printAppAnswers(answers []ledger.Answer) {
	for _, a := range answers {
		fmt.Printf("\nWhat the app answered to attempt %d: %d\n", a.Attempt, a.Status)
		if a.Location != "" {
			fmt.Printf("  Location: %s\n", printable(a.Location))
		}
		if printText(a.Body); a.Cut {
			fmt.Println("  …")
		}
	}
}

func printText(text string) {
	for line := range strings.Lines(text) {
		fmt.Println(strings.TrimRight("  "+printable(strings.TrimRight(line, "\r\n")), " "))
	}
}
