package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/seed-338f6760/caddy-ccpayment/internal/adminapi"
	"github.com/seed-338f6760/caddy-ccpayment/internal/subcommand"
)

// listCommand makes a command that lists entries: events or orders. read reads the
// query from the flags, and print prints the table of at least one entry.
func listCommand[T any](cmd *cobra.Command, list string, read func(caddycmd.Flags) (url.Values, error), print func([]T)) *cobra.Command {
	cmd.Flags().Int("limit", adminapi.DefaultPage, "How many at most")
	addJSONFlag(cmd)
	return serverCommand(cmd, func(admin *adminapi.Client, fl caddycmd.Flags) error {
		if err := noArguments(fl); err != nil {
			return err
		}
		query, err := read(fl)
		if err != nil {
			return err
		}
		page, err := readPages(admin, list, query, fl.Int("limit"))
		if err != nil {
			return err
		}
		entries := append(page.Events, page.Orders...)
		if fl.Bool("json") {
			return printPage(list, entries, page)
		}
		values := make([]T, len(entries))
		for i, entry := range entries {
			if values[i], err = adminapi.Answer[T](entry).Read(); err != nil {
				return err
			}
		}
		if len(values) == 0 {
			fmt.Printf("No %s.\n", list)
		} else {
			print(values)
		}
		if page.Next != "" {
			fmt.Fprintln(os.Stderr, "There are more: raise --limit.")
		}
		if len(page.Damaged) > 0 {
			return fmt.Errorf("the list lacks %s that cannot be read:\n%s", list, strings.Join(page.Damaged, "\n"))
		}
		return nil
	})
}

// readPages follows the pages of a list up to so many entries, and returns them as one. Its
// Next is not empty if there are more.
func readPages(admin *adminapi.Client, list string, query url.Values, limit int) (all adminapi.Page, err error) {
	if limit < 1 {
		return all, subcommand.Fail(exitUsage, "--limit must be 1 or more")
	}
	for {
		left := limit - len(all.Events) - len(all.Orders)
		query.Set("limit", strconv.Itoa(min(left, adminapi.LargestPage)))
		answer, err := admin.Page(list, query)
		if err != nil {
			return all, err
		}
		page, err := answer.Read()
		if err != nil {
			return all, err
		}
		all.Events, all.Orders = append(all.Events, page.Events...), append(all.Orders, page.Orders...)
		all.Damaged, all.Next = append(all.Damaged, page.Damaged...), page.Next
		if page.Next == "" || len(page.Events)+len(page.Orders) >= left {
			return all, nil
		}
		query.Set("cursor", page.Next)
	}
}

// printPage prints a list as the admin endpoint does, as one page.
func printPage(list string, entries []json.RawMessage, of adminapi.Page) error {
	if entries == nil {
		entries = []json.RawMessage{}
	}
	page := map[string]any{list: entries}
	if len(of.Damaged) > 0 {
		page["damaged"] = of.Damaged
	}
	if of.Next != "" {
		page["next"] = of.Next
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(page)
}
