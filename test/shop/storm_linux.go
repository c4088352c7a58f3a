package shop

import (
	"math/rand/v2"

	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
)

// disks are the ways in which a disk can be out of order.
var disks = []struct {
	name   string
	faults []string
}{
	{"full", fault.Full},
	{"read-only", fault.ReadOnly},
	{"sync fails", fault.SyncFails},
	{"second sync fails", fault.SecondSyncFails},
	{"slow", []string{"fdatasync,fsync:delay_enter=100000"}},
}

// BrokenDisk is the disk of the first Caddy's ledger that is full, read-only, slow, or does
// not sync. It is in order for a Caddy that is started anew.
func (s *Shop) BrokenDisk(file string) Fault {
	return Fault{Name: "disk", EndsWithCaddy: true, Begin: func(random *rand.Rand) (way string, end func()) {
		s.t.Helper()
		disk := disks[random.IntN(len(disks))]
		return disk.name, fault.Inject(s.t, s.Caddy.Process.Process, file, disk.faults...)
	}}
}
