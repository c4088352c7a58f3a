package bolt

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// leastRoom is how much room on the disk is little: some hundred thousand events.
const leastRoom = 500 << 20

// Examine implements [ledger.Examiner]: how much room is left on the file's disk. How much of
// the file itself is free bbolt only counts with the statistics that it is opened without.
func (s *Store) Examine(context.Context) (ledger.Condition, error) {
	var c ledger.Condition
	room, ok := roomOn(filepath.Dir(s.path))
	if !ok {
		return c, nil
	}
	c.Facts = append(c.Facts, fmt.Sprintf("its disk has %s of room", humanize.IBytes(room)))
	if room < leastRoom {
		c.Care = append(c.Care, fmt.Sprintf("the disk of the ledger has %s of room left: free some, for without any no webhook is taken", humanize.IBytes(room)))
	}
	return c, nil
}

// Interface guard
var _ ledger.Examiner = (*Store)(nil)
