package cli

import (
	"fmt"
	"net/url"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

func ordersCommand() *cobra.Command {
	return addGroup(&cobra.Command{
		Use:   "orders <subcommand>",
		Short: "Lists, shows and closes the orders of the Caddy that runs",
		Long: `
Lists and shows the orders in the ledger of the Caddy that runs: what was due,
what was paid, and everything that happened. Closes those of which nothing is
to be paid any more.

    caddy ccpayment orders list --state partial
    caddy ccpayment orders show order-1
    caddy ccpayment orders close order-1 --reason "sold out"`,
	}, listOrdersCommand(), showOrderCommand(), closeOrderCommand(), exportOrdersCommand())
}

func listOrdersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [--state <state>] [--account <name>] [--limit <n>]",
		Short: "Lists orders, by their id",
	}
	addOrderFilters(cmd)
	return listCommand(cmd, "orders", givenOrders, printOrders)
}

func addOrderFilters(cmd *cobra.Command) {
	cmd.Flags().String("state", "", "State: unpaid, processing, partial, paid, overpaid, review, expired, closed")
}

// givenOrders is the filter of orders that stands on the command line.
func givenOrders(fl caddycmd.Flags) (url.Values, error) {
	query := url.Values{}
	for _, name := range []string{"state", "account"} {
		if value := fl.String(name); value != "" {
			query.Set(name, value)
		}
	}
	return query, nil
}

func printOrders(orders []adminapi.Order) {
	t := table{{"ORDER", "ACCOUNT", "STATE", "PAID", "DUE", "CURRENCY", "LATE", "FULFILLED BY"}}
	for _, o := range orders {
		t.add(o.OrderID, accountLabel(o.Account), o.State, o.Paid, o.Due, o.Currency, yesOrNothing(o.Late), o.FulfilledBy)
	}
	t.print()
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
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if fl.NArg() != 1 {
			return subcommand.Fail(exitUsage, "name one order by the app's own id: caddy ccpayment orders list shows them")
		}
		answer, err := admin.Order(fl.Arg(0), fl.String("account"))
		if err != nil {
			return advise(err, "caddy ccpayment orders list shows the ids and accounts")
		}
		return printAnswer(fl, answer, printOrder)
	})
}

func closeOrderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "close <order id> --reason <text> [--force] [--account <name>]",
		Short: "Closes an order for ever: its checkout is refused, and no payment fulfils it",
	}
	cmd.Flags().String("reason", "", "Why, for the order's history")
	cmd.Flags().Bool("force", false, "Close it whatever is paid of it or under way, also where the gateway cannot be asked")
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		switch {
		case fl.NArg() != 1:
			return subcommand.Fail(exitUsage, "name one order by the app's own id: caddy ccpayment orders list shows them")
		case fl.String("reason") == "":
			return subcommand.Fail(exitUsage, "say why with --reason, for the order's history")
		}
		answer, err := admin.Close(fl.Arg(0), fl.String("account"), adminapi.Close{Reason: fl.String("reason"), Force: fl.Bool("force")})
		if err != nil {
			return err
		}
		return printAnswer(fl, answer, printOrder)
	})
}

func printOrder(o adminapi.OrderDetails) {
	gateway, paid, fulfilled, carried, closed := "", "", o.FulfilledBy, "", ""
	if o.Closed != nil {
		closed = localTime(o.Closed.At) + ": " + o.Closed.Reason
	}
	if fulfilled != "" && !o.Accepted {
		fulfilled, carried = "", o.FulfilledBy+" (not accepted by the app yet)"
	}
	if o.GatewayOrderID != o.OrderID {
		gateway = o.GatewayOrderID
	}
	if o.Due != "" {
		paid = fmt.Sprintf("%s of %s %s", o.Paid, o.Due, o.Currency)
	}
	printAbout([][2]string{
		{"Order", o.OrderID},
		{"At the gateway", gateway},
		{"Account", accountLabel(o.Account)},
		{"State", o.State},
		{"Closed", closed},
		{"Paid", paid},
		{"Late", yesOrNothing(o.Late)},
		{"Fulfilled by", fulfilled},
		{"Carried by", carried},
		{"Read at", localTimeOf(o.ReadAt)},
	})
	if len(o.Generations) > 1 {
		fmt.Println("\nAt the gateways")
		var generations table
		for _, g := range o.Generations {
			until := ""
			switch {
			case g.Ended:
				until = "ended"
			case !g.ExpiresAt.IsZero():
				until = "until " + localTime(g.ExpiresAt)
			}
			generations.add("  "+g.ID, accountLabel(g.Account), g.Terms.Price, until)
		}
		generations.print()
	}
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
