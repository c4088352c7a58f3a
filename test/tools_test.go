//go:build unix

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-338f6760/caddy-ccpayment/internal/needs"
)

// machine is a PATH: what .ci/tools and .ci/test find of a machine.
type machine struct {
	t   *testing.T
	bin string
}

// newMachine has what every machine has, and the tests' tools that are named.
func newMachine(t *testing.T, tools ...string) machine {
	t.Helper()
	m := machine{t, t.TempDir()}
	for _, name := range []string{"bash", "env", "true", "mktemp", "mkdir", "rm", "cat", "chmod"} {
		if err := os.Symlink(needs.Command(t, name), filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.program("ls", "exit 2") // of a PostgreSQL or pgbouncer that this machine may have
	m.program("id", "echo ${FAKE_UID:-0}")
	for _, tool := range tools {
		m.program(tool, m.tool())
	}
	if slices.Contains(tools, "npm") {
		if err := exec.Command(filepath.Join(m.bin, "npm"), "install").Run(); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// tool is the script of each tool: php has its module, and npm installs axe-core.
func (m machine) tool() string {
	axe := filepath.Join(m.bin, "modules", "axe-core")
	return `[ "$1" != -m ] || echo pdo_sqlite
[ "$1" != root ] || echo ` + filepath.Dir(axe) + `
[ "$1" != install ] || { mkdir -p ` + axe + `; : >` + axe + `/axe.min.js; }`
}

var allTools = []string{"chromium", "php", "node", "npm", "python3", "promtool", "initdb", "pgbouncer", "strace", "gcc"}

func (m machine) program(name, script string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// apt adds an apt-get that knows each package but those named, and which says
// into a file what it was called with.
func (m machine) apt(unknown string) (calls func() string) {
	m.t.Helper()
	log := filepath.Join(m.t.TempDir(), "apt")
	m.program("apt-get", `echo "$DEBIAN_FRONTEND $*" >>`+log+`
for package; do :; done
[[ " `+unknown+` " != *" $package "* ]] || exit 100
case $package in
nodejs) name=node ;; prometheus) name=promtool ;; php-cli | php-sqlite3) name=php ;; postgresql) name=initdb ;; libc6-dev) name=gcc ;; update) exit 0 ;; *) name=$package ;;
esac
printf '#!/usr/bin/env bash\n%s\n' '`+m.tool()+`' >`+m.bin+`/$name
chmod +x `+m.bin+`/$name`)
	return func() string {
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			m.t.Fatal(err)
		}
		return string(text)
	}
}

func (m machine) run(script string, env ...string) (string, error) {
	cmd := exec.Command(filepath.Join("..", ".ci", script))
	if script == "test" {
		cmd.Args = append(cmd.Args, "-race", "./...", "-caddy-race")
	}
	cmd.Env = append(env, "PATH="+m.bin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestCase32_Tools: a machine that has all is left alone; one that lacks something gets
// it, by its one who may install; and where nobody may, only CI minds.
func TestCase32_Tools(t *testing.T) {
	t.Parallel()
	t.Run("all is here", func(t *testing.T) {
		t.Parallel()
		m := newMachine(t, allTools...)
		calls := m.apt("")
		if out, err := m.run("tools", "CI=true"); out != "" || err != nil || calls() != "" {
			t.Errorf("%q, %v, apt-get: %q", out, err, calls())
		}
	})
	for name, test := range map[string]struct{ env, sudo string }{
		"as root":   {},
		"with sudo": {env: "FAKE_UID=1000", sudo: `[ "$1" = -n ] && shift && exec "$@"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, "python3", "strace")
			calls := m.apt("")
			if test.sudo != "" {
				m.program("sudo", test.sudo)
			}
			out, err := m.run("tools", "CI=true", test.env)
			if err != nil || out != "installing for the tests: chromium php-cli php-sqlite3 nodejs npm axe-core prometheus postgresql pgbouncer gcc libc6-dev\n" {
				t.Errorf("%q, %v", out, err)
			}
			if got := calls(); strings.Count(got, " install ") != 10 || strings.Contains(got, "python3") || strings.Count(got, "noninteractive") != 11 {
				t.Errorf("apt-get was called with\n%s", got)
			}
			if out, err := m.run("tools", test.env); out != "" || err != nil {
				t.Errorf("the second time: %q, %v", out, err)
			}
		})
	}
	t.Run("a package is unknown", func(t *testing.T) {
		t.Parallel()
		m := newMachine(t)
		calls := m.apt("chromium")
		if out, err := m.run("tools"); err != nil || !strings.Contains(out, "apt-get cannot install chromium\n") || strings.Count(calls(), " install ") != 12 {
			t.Errorf("%q, %v", out, err)
		}
		if out, err := m.run("tools", "CI=true"); err == nil || !strings.HasSuffix(out, "missing, and CI has to have it: chromium\n") {
			t.Errorf("with CI: %q, %v", out, err)
		}
	})
	for name, prepare := range map[string]func(m machine) (env string){
		"no apt-get":       func(machine) string { return "" },
		"sudo asks":        func(m machine) string { m.apt(""); m.program("sudo", "exit 1"); return "FAKE_UID=1000" },
		"no sudo":          func(m machine) string { m.apt(""); return "FAKE_UID=1000" },
		"nothing is asked": func(m machine) string { m.apt(""); return "INSTALL=no" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, allTools[1:]...)
			env := prepare(m)
			if out, err := m.run("tools", env); out != "" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
			if out, err := m.run("tools", env, "CI=true"); err == nil || out != "missing, and CI has to have it: chromium\n" {
				t.Errorf("with CI: %q, %v", out, err)
			}
		})
	}
}

const compiling = "compiling and testing: on a machine that has compiled none of it yet it is many minutes before the next line\n"

// TestCase32_LeftOut: the last line counts what was left out, and the result is that of
// the tests.
func TestCase32_LeftOut(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.program("go", `[ "$1" = test ] || exit 0; echo "go $*"; printf '%b' "$NOTES" >>"$TESTS_LEFT_OUT"; exit $STATUS`)
	for notes, want := range map[string]string{
		"": "go test -race ./... -caddy-race\n",
		`chromium\nphp with pdo_sqlite\nchromium\n`: "go test -race ./... -caddy-race\nLEFT OUT: 3 tests, for want of chromium (2), php with pdo_sqlite (1)\n",
	} {
		for _, status := range []string{"0", "1"} {
			out, err := m.run("test", "NOTES="+notes, "STATUS="+status)
			if out != compiling+want || (err == nil) != (status == "0") {
				t.Errorf("%q, %v, want %q and status %s", out, err, want, status)
			}
		}
	}
}

// TestGoAlone: where no C compiler works, the tests run without the race detector, which
// is said; CI minds.
func TestGoAlone(t *testing.T) {
	t.Parallel()
	m := newMachine(t, allTools...)
	m.program("go", `[ "$1" = test ] || { echo "go: -race requires cgo" >&2; exit 2; }; echo "CGO_ENABLED=$CGO_ENABLED go $*"`)
	out, err := m.run("test")
	says, rest, _ := strings.Cut(out, "\n")
	if err != nil || !strings.HasPrefix(says, "WITHOUT THE RACE DETECTOR: ") || rest != compiling+"CGO_ENABLED=0 go test ./...\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := m.run("test", "CI=true"); err == nil || !strings.Contains(out, "gcc") || strings.Contains(out, "go test") {
		t.Errorf("with CI: %q, %v", out, err)
	}
}

// TestCase33_MakeTest: `make test` leaves no test out to be fast: it runs those of all
// packages, with the race detector. What makes it fast is that the packages that take the
// longest begin first, and that several run at once.
func TestCase33_MakeTest(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(needs.Command(t, "make"), "-n", "--no-print-directory", "-C", "..", "test").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tests, _, _ := strings.Cut(string(out), "\n") // what follows them is the worlds of ./ledger, once more
	args := strings.Fields(tests)
	if i := slices.Index(args, "."); i < 0 || args[0] != ".ci/test" || !slices.Contains(args, "-race") ||
		!slices.Equal(args[i:], []string{".", "./test", "./store/postgres", "./test/crash", "./test/cluster", "./internal/relay", "./sandbox", "./test/power", "./..."}) {
		t.Errorf("it runs %q", args)
	}
	for _, arg := range args {
		if flag, _, _ := strings.Cut(arg, "="); slices.Contains([]string{"-short", "-run", "-skip", "-failfast"}, flag) {
			t.Errorf("%s leaves tests out: %q", arg, args)
		}
	}
}
