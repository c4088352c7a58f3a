package ccpayment

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func ordersCommand() *cobra.Command {
	return commandGroup(&cobra.Command{
		Use:   "orders <subcommand>",
		Short: "Lists and shows the orders of the Caddy that runs",
		Long: `
Lists and shows the orders in the ledger of the Caddy that runs: what was due,
what was paid, and everything that happened.

    caddy ccpayment orders list --state partial
    caddy ccpayment orders show order-1`,
	}, listOrdersCommand(), showOrderCommand())
}

func listOrdersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [--state <state>] [--account <name>] [--limit <n>]",
		Short: "Lists orders, by their id",
	}
	cmd.Flags().String("state", "", "State: unpaid, processing, partial, paid, overpaid, review, expired")
	cmd.Flags().Int("limit", defaultPage, "How many at most")
	cmd.Flags().Bool("json", false, "Print JSON, as the admin endpoint answers it")
	return serverCommand(cmd, func(admin *adminClient, fl caddycmd.Flags) error {
		if err := noArguments(fl); err != nil {
			return err
		}
		query := accountQuery(fl)
		if state := fl.String("state"); state != "" {
			query.Set("state", state)
		}
		orders, next, err := admin.pages("orders", query, fl.Int("limit"))
		if err != nil {
			return err
		}
		if fl.Bool("json") {
			return printPage("orders", orders, next)
		}
		return printOrders(orders, next)
	})
}

func accountQuery(fl caddycmd.Flags) url.Values {
	query := url.Values{}
	if account := fl.String("account"); account != "" {
		query.Set("account", account)
	}
	return query
}

func printOrders(entries []json.RawMessage, next string) error {
	if len(entries) == 0 {
		fmt.Println("No orders.")
		return nil
	}
	t := table{{"ORDER", "ACCOUNT", "STATE", "PAID", "DUE", "CURRENCY", "LATE", "FULFILLED BY"}}
	for _, entry := range entries {
		var o orderView
		if err := json.Unmarshal(entry, &o); err != nil {
			return unreadable(err)
		}
		t.add(o.OrderID, accountLabel(o.Account), o.State, o.Paid, o.Due, o.Currency, yesOrNothing(o.Late), o.FulfilledBy)
	}
	t.print()
	if next != "" {
		fmt.Fprintln(os.Stderr, "There are more: raise --limit.")
	}
	return nil
}

func accountLabel(name string) string {
	if name == "" {
		return "default"
	}
	return name
}

func showOrderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show <order id> [--account <name>]",
		Short: "Shows an order, its payments, and everything that happened to it",
	}
	cmd.Flags().Bool("json", false, "Print JSON, as the admin endpoint answers it")
	return serverCommand(cmd, func(admin *adminClient, fl caddycmd.Flags) error {
		if fl.NArg() != 1 {
			return subcommand.Fail(exitUsage, "name one order by the app's own id: caddy ccpayment orders list shows them")
		}
		answer, err := admin.get("orders/"+url.PathEscape(fl.Arg(0)), accountQuery(fl))
		if err != nil {
			return advise(err, "caddy ccpayment orders list shows the ids and accounts")
		}
		if fl.Bool("json") {
			printRaw(answer)
			return nil
		}
		var o orderDetails
		if err := json.Unmarshal(answer, &o); err != nil {
			return unreadable(err)
		}
		printOrder(o)
		return nil
	})
}

func printOrder(o orderDetails) {
	gateway, paid := "", ""
	if o.GatewayOrderID != o.OrderID {
		gateway = o.GatewayOrderID
	}
	if o.Due != "" {
		paid = fmt.Sprintf("%s of %s %s", o.Paid, o.Due, o.Currency)
	}
	var about table
	for _, line := range [][2]string{
		{"Order", o.OrderID},
		{"At CCPayment", gateway},
		{"Account", accountLabel(o.Account)},
		{"State", o.State},
		{"Paid", paid},
		{"Late", yesOrNothing(o.Late)},
		{"Fulfilled by", o.FulfilledBy},
		{"Read at", localTimeOf(o.ReadAt)},
	} {
		if line[1] != "" {
			about.add(line[0], line[1])
		}
	}
	about.print()
	if len(o.Payments) > 0 {
		fmt.Println("\nPayments")
		var payments table
		for _, p := range o.Payments {
			payments.add("  "+p.RecordID, p.Verdict, p.Amount)
		}
		payments.print()
	}
	fmt.Println("\nWhat happened")
	var timeline table
	for _, m := range o.Timeline {
		timeline.add("  "+localTime(m.At), m.What, m.EventID)
	}
	timeline.print()
}
