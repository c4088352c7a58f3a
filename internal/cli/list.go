package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"

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
		entries, next, err := readPages(admin, list, query, fl.Int("limit"))
		if err != nil {
			return err
		}
		if fl.Bool("json") {
			return printPage(list, entries, next)
		}
		values := make([]T, len(entries))
		for i, entry := range entries {
			if values[i], err = adminapi.Answer[T](entry).Read(); err != nil {
				return err
			}
		}
		if len(values) == 0 {
			fmt.Printf("No %s.\n", list)
			return nil
		}
		print(values)
		if next != "" {
			fmt.Fprintln(os.Stderr, "There are more: raise --limit.")
		}
		return nil
	})
}

// readPages follows the pages of a list up to so many entries. next is not empty
// if there are more.
func readPages(admin *adminapi.Client, list string, query url.Values, limit int) (entries []json.RawMessage, next string, err error) {
	if limit < 1 {
		return nil, "", subcommand.Fail(exitUsage, "--limit must be 1 or more")
	}
	for {
		query.Set("limit", strconv.Itoa(min(limit-len(entries), adminapi.LargestPage)))
		answer, err := admin.Page(list, query)
		if err != nil {
			return nil, "", err
		}
		page, err := answer.Read()
		if err != nil {
			return nil, "", err
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
