package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// explain adds to an error of the file what to do about it; the answers of a
// store that works stay as they are.
func (s *Store) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrFenced), errors.Is(err, ledger.ErrTaken), errors.Is(err, errNothing):
		return err
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ledger.ErrClosed
	default:
		return explain(s.path, err)
	}
}

var (
	errInUse        = errors.New("another process has it open")
	errDamaged      = errors.New("the file is damaged")
	errDamagedValue = fmt.Errorf("%w: %w", errDamaged, ledger.ErrDamaged)
	errForeign      = errors.New("the file is not a ledger of this version")
	errMoved        = errors.New("it was moved to")
	errCommitFailed = errors.New("a commit failed while it was read: try again")
)

// valueError is the error of a value that cannot be decoded.
func valueError(err error) error {
	if errors.Is(err, ledger.ErrLater) {
		return ledger.ErrLater
	}
	return errDamagedValue
}

// explain says what is wrong with the file and what to do about it.
func explain(path string, err error) error {
	var advice string
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("ledger %s: %w; a bolt ledger serves one process, so stop the other one or give each its own path", path, errInUse)
	case errors.Is(err, ledger.ErrDamaged):
		advice = "the rest of it goes on: put a backup in its place, then have CCPayment send again what came since"
	case errors.Is(err, errDamaged), errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch),
		strings.Contains(err.Error(), "file size too small"): // bbolt has no error to compare with
		advice = "it is damaged or no ledger: put a backup in its place, or move it away to begin a new one, which will not recognise copies of earlier events"
	case errors.Is(err, errMoved):
		advice = "have the store there in the place of this one, as in `store postgres`, or choose another path; this file lacks all that came since"
	case errors.Is(err, errForeign):
		advice = "choose another path, or run the version that made it"
	case isAny(err, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG):
		advice = "there is no room to write it: free space on its disk; nothing that was acknowledged is lost, and it goes on by itself then"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		advice = "it cannot be written: give the user that runs Caddy write permission on the file and its folder, or choose another path"
	case errors.Is(err, errStuck):
		advice = "nothing that was acknowledged is lost, and it goes on by itself when the disk answers"
	case errors.Is(err, syscall.EIO):
		advice = "its disk fails: nothing that was acknowledged is lost, and it goes on by itself when the disk can be written again"
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		advice = "its path must be that of a file in a folder"
	default:
		return fmt.Errorf("ledger %s: %w", path, err)
	}
	return fmt.Errorf("ledger %s: %w; %s", path, err, advice)
}

// isAny reports whether err is one of the system's errors, or ends in its text:
// that is all that bbolt keeps of an error of growing the file.
func isAny(err error, numbers ...syscall.Errno) bool {
	return slices.ContainsFunc(numbers, func(n syscall.Errno) bool {
		return errors.Is(err, n) || strings.HasSuffix(err.Error(), n.Error())
	})
}
