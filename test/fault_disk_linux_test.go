package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
	"github.com/seed-338f6760/caddy-ccpayment/test/fault"
)

// brokenDisk says what breaks the disk of a server under load, what is known of
// that fault, and how the log explains it.
type brokenDisk struct {
	breaks func(*server) (mends func())
	// total: nothing can be written at all.
	total bool
	says  []string
}

// test breaks and mends it. Nothing is acknowledged that is not kept, the app is
// called once for each event, and it all goes on without a restart.
func (b brokenDisk) test(t *testing.T, config string, prepare func(*server)) {
	app := newReceiver(t)
	app.comes()
	s := newServer(t, app.url)
	if prepare != nil {
		prepare(s)
	}
	s.start(globals + config)
	tr := startTraffic(t, s.hook)
	tr.flow(50)

	mends := b.breaks(s)
	ctx := t.Context()
	var refused, taken []event
	processtest.Until(t, "an event is refused", func() bool {
		e := newEvent()
		a, err := deliver(ctx, processtest.Once, s.hook, e, appSecret)
		if err == nil && a.yes() {
			taken = append(taken, e)
			return false
		}
		refused = append(refused, e)
		return err == nil && a.status == http.StatusServiceUnavailable && !strings.Contains(a.text, "Success")
	})
	for _, text := range b.says {
		processtest.Until(t, "the log says "+text, func() bool { return strings.Contains(s.Output.String(), text) })
	}
	if b.total {
		for range 5 {
			refused = append(refused, newEvent())
		}
		for range 3 { // which are copies then
			for _, e := range refused {
				if a, err := deliver(ctx, processtest.Once, s.hook, e, appSecret); err != nil || a.status != http.StatusServiceUnavailable {
					t.Errorf("while nothing can be written the answer is %d %q, %v", a.status, a.text, err)
				}
			}
		}
	}

	mends()
	tr.flow(50)
	tr.end()
	for _, e := range refused {
		if err := tr.insist(ctx, e); err != nil {
			t.Error(err)
		}
	}
	events := append(append(tr.events(), refused...), taken...)
	arrived(t, app, events)
	checkCalledOnce(t, app, events)
	s.stop()
	checkLedgerKnows(t, s, events)
}

// both runs the test for both ways of delivery.
func (b brokenDisk) both(t *testing.T, prepare func(*server)) {
	for name, config := range map[string]string{"pass-through": site, "store-and-forward": stored} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.test(t, config, prepare)
		})
	}
}

func injecting(faults ...string) func(*server) func() {
	return func(s *server) func() { return fault.Inject(s.t, s.Process, s.ledger, faults...) }
}

const unusable = "the ledger cannot be used"

// TestSyncFails: every sync fails.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	brokenDisk{
		breaks: injecting(fault.SyncFails...), total: true,
		says: []string{unusable, "its disk fails: nothing that was acknowledged is lost"},
	}.both(t, nil)
}

// TestSecondSyncFails: what a commit has written can be synced, and not that it
// is valid. It is to be seen in the file then, and must not be believed.
func TestSecondSyncFails(t *testing.T) {
	t.Parallel()
	brokenDisk{
		breaks: injecting(fault.SecondSyncFails...), total: true,
		says: []string{unusable, "its disk fails: nothing that was acknowledged is lost"},
	}.both(t, nil)
}

// TestDiskReadOnly: the system has made the disk read-only, as it does after an
// error. (By hand that cannot be done while a file is open for writing.)
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	brokenDisk{
		breaks: injecting(fault.ReadOnly...), total: true,
		says: []string{unusable, "it cannot be written: give the user that runs Caddy write permission"},
	}.both(t, nil)
}

// TestDiskHangs: a disk that takes its time keeps nobody waiting for longer than
// ten seconds.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	const hangs = time.Minute
	brokenDisk{
		breaks: func(s *server) func() {
			mend := injecting(fmt.Sprintf("fdatasync,fsync:delay_enter=%d", hangs.Microseconds()))(s)
			since := time.Now()
			return func() {
				if took := time.Since(since); took > hangs/2 {
					s.t.Errorf("it took %s until the answers came at once", took)
				}
				mend()
			}
		},
		total: true,
		says:  []string{unusable, "its disk does not answer: a commit has not ended within 10s"},
	}.both(t, nil)
}

// TestDiskFull: the ledger's disk is full, and there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	brokenDisk{
		breaks: func(s *server) func() {
			filler := filepath.Join(filepath.Dir(s.ledger), "filler")
			file, err := os.Create(filler)
			if err != nil {
				s.t.Fatal(err)
			}
			defer file.Close()
			for err == nil {
				_, err = file.Write(make([]byte, os.Getpagesize()))
			}
			return func() {
				if err := os.Remove(filler); err != nil {
					s.t.Error(err)
				}
			}
		},
		says: []string{unusable, "there is no room to write it: free space on its disk"},
	}.both(t, func(s *server) {
		disk := filepath.Dir(s.ledger)
		if err := os.MkdirAll(disk, 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := syscall.Mount("ccpayment-test", disk, "tmpfs", 0, "size=8m"); err != nil {
			fault.MissingDisk(s.t, "leave to mount a small disk (root; in a container CAP_SYS_ADMIN)", err)
		}
		s.t.Cleanup(func() {
			if s.Process != nil { // whose file is open
				s.End(s.t, syscall.SIGKILL)
			}
			if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
				s.t.Error(err)
			}
		})
	})
}
