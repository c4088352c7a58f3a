package ledger_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
	"github.com/seed-338f6760/caddy-ccpayment/store/bolt"
)

// TestAbilities: the ledger does what its store is able to, and says so where it
// is not.
func TestAbilities(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "ledger.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	able, unable := ledger.New(store, time.Now), ledger.New(struct{ ledger.Store }{store}, time.Now)
	var copied bytes.Buffer
	if size, err := able.Size(); err != nil || size == 0 {
		t.Errorf("the size is %d, %v", size, err)
	}
	if err := able.Backup(&copied); err != nil || copied.Len() == 0 {
		t.Errorf("a copy of %d bytes, %v", copied.Len(), err)
	}
	copied.Reset()
	if _, err := unable.Size(); !errors.Is(err, ledger.ErrUnsupported) {
		t.Errorf("the size of a store that does not know it: %v", err)
	}
	if err := unable.Backup(&copied); !errors.Is(err, ledger.ErrUnsupported) || copied.Len() > 0 {
		t.Errorf("a copy of a store that makes none: %v, %d bytes", err, copied.Len())
	}
	if err := able.Close(); err != nil {
		t.Error(err)
	}
	if _, err := able.Counts(bg); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
}
