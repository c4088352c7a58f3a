package power

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
	"github.com/seed-338f6760/caddy-ccpayment/internal/processtest"
)

// kind is what an operation does.
type kind int

const (
	write kind = iota
	truncate
	create
	rename
	remove
	sync
)

// operation is a system call that changed the ledger's folder, or synced it.
type operation struct {
	kind
	path string // of a sync, the folder's or a file's
	to   string // of a rename
	// offset is where data was written; of a truncate the file's new size.
	offset int64
	data   []byte
	// The change is on the disk only after ended, and only if it is a sync.
	began, ended time.Time
}

// recorder runs a program and records it.
type recorder struct {
	prefix string // of the files with the record, one for each thread
}

func newRecorder(t *testing.T) *recorder {
	needs.Command(t, "strace")
	return &recorder{prefix: filepath.Join(t.TempDir(), "record")}
}

// command comes before that of the program to be recorded, which stays the process that
// is started.
func (r *recorder) command() []string {
	return []string{
		"strace", "-D", "-f", "-ff", "-q", "-y", "-ttt", "-T", "-xx", "-s", strconv.Itoa(1 << 28),
		"-e", "signal=none", "-e", "trace=" + calls, "-o", r.prefix,
	}
}

// calls are those by which a program changes files. Caddy makes no others on its ledger:
// read fails for one that it does not know.
const calls = "openat,pwrite64,write,writev,pwritev,ftruncate,truncate,fallocate,fdatasync,fsync,rename,renameat,renameat2,unlink,unlinkat,link,linkat"

// read returns what was done in the folder, in order, once the program has ended.
func (r *recorder) read(t *testing.T, process int, folder string) []operation {
	t.Helper()
	first := fmt.Sprintf("%s.%d", r.prefix, process)
	processtest.Until(t, "the record is whole", func() bool {
		text, err := os.ReadFile(first)
		return err == nil && strings.HasSuffix(string(text), "+++\n")
	})
	files, err := filepath.Glob(r.prefix + ".*")
	if err != nil {
		t.Fatal(err)
	}
	var all []operation
	for _, name := range files {
		some, err := readThread(name, folder)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b operation) int {
		return cmp.Or(a.began.Compare(b.began), a.ended.Compare(b.ended))
	})
	return all
}

func readThread(name, folder string) ([]operation, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []operation
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(line, "+++\n") || strings.HasSuffix(line, "<unfinished ...>\n") { // the thread's end
			continue
		}
		op, isOurs, err := readLine(line, folder)
		if err != nil {
			return nil, fmt.Errorf("%w in %.300s", err, line)
		}
		if isOurs {
			all = append(all, op)
		}
	}
}

var (
	lineForm = regexp.MustCompile(`^(\d+)\.(\d{6}) (\w+)\((.*)\) += (-?\d+|\?)(.*?)(?: <(\d+\.\d+)>)?\n$`)
	// textForm is what strace shows as hexadecimal: a string, or the path of a descriptor.
	textForm = regexp.MustCompile(`["<]((?:\\x[0-9a-f]{2})*)[">]`)
)

// readLine reads a line of strace. Those of other folders and of calls that failed are
// not ours.
func readLine(line, folder string) (op operation, isOurs bool, err error) {
	m := lineForm.FindStringSubmatch(line)
	if m == nil {
		return op, false, errors.New("no system call")
	}
	name, args := m[3], m[4]
	var texts []string
	for _, text := range textForm.FindAllStringSubmatch(args, -1) {
		raw, err := hex.DecodeString(strings.ReplaceAll(text[1], `\x`, ""))
		if err != nil {
			return op, false, err
		}
		texts = append(texts, string(raw))
	}
	if !slices.ContainsFunc(texts, func(s string) bool { return s == folder || strings.HasPrefix(s, folder+"/") }) {
		return op, false, nil
	}
	if result, err := strconv.Atoi(m[5]); err != nil || result < 0 {
		return op, false, nil
	}
	if op, err = readCall(name, args, texts); err != nil || op.path == "" {
		return op, false, err
	}
	seconds, err1 := strconv.ParseInt(m[1], 10, 64)
	micros, err2 := strconv.ParseInt(m[2], 10, 64)
	took, err3 := strconv.ParseFloat(m[7], 64)
	op.began = time.Unix(seconds, micros*1000)
	op.ended = op.began.Add(time.Duration(math.Ceil(took * 1e9)))
	return op, true, errors.Join(err1, err2, err3)
}

// readCall reads a call's arguments, of which the texts are decoded. An operation
// without a path changes nothing.
func readCall(name, args string, texts []string) (op operation, err error) {
	last := args[strings.LastIndex(args, " ")+1:]
	switch name {
	case "openat":
		if strings.Contains(args, "O_CREAT") {
			op = operation{kind: create, path: texts[1]}
		}
		if strings.Contains(args, "O_TRUNC") {
			return op, errors.New("a file that is truncated when it is opened")
		}
	case "pwrite64":
		op = operation{kind: write, path: texts[0], data: []byte(texts[1])}
		op.offset, err = strconv.ParseInt(last, 10, 64)
	case "ftruncate":
		op = operation{kind: truncate, path: texts[0]}
		op.offset, err = strconv.ParseInt(last, 10, 64)
	case "fsync", "fdatasync":
		op = operation{kind: sync, path: texts[0]}
	case "rename":
		op = operation{kind: rename, path: texts[0], to: texts[1]}
	case "renameat", "renameat2":
		op = operation{kind: rename, path: texts[1], to: texts[3]}
	case "unlinkat":
		op = operation{kind: remove, path: texts[1]}
	default:
		return op, fmt.Errorf("%s is not known", name)
	}
	return op, err
}
