package ccpayment_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Case 24: a site whose try_files takes the paths of our directives is warned of when it
// is loaded; the recipe that the warning names works, without one.
func TestCase24_TryFiles(t *testing.T) {
	const directives = `
	ccpayment_webhook /hook $APP {
		confirm off
	}
	ccpayment_status /status`
	for name, test := range map[string]struct {
		site     string
		takes    bool // the webhook's path
		warnings int
	}{
		"before":             {"root $DIR\ntry_files {path} /index.html" + directives + "\nfile_server", true, 2},
		"with a host":        {"root $DIR\ntry_files {path} /index.html" + directives + "\nfile_server", true, 2},
		"only what is there": {"root $DIR\ntry_files {path} {path}.html" + directives + "\nfile_server", false, 0},
		"not for these":      {"root $DIR\n@others {\nnot path /hook /status\nfile {\ntry_files {path} /index.html\n}\n}\nrewrite @others {file_match.relative}" + directives + "\nfile_server", false, 0},
		"the recipe": {`root $DIR
	handle /hook {
		ccpayment_webhook $APP {
			confirm off
		}
	}
	handle /status {
		ccpayment_status
	}
	handle {
		try_files {path} /index.html
		file_server
	}`, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			address := "http://:$PORT"
			if name == "with a host" {
				address = "http://127.0.0.1:$PORT"
			}
			s := start(t, setup{site: address + " {\nbind 127.0.0.1\n" + test.site + "\n}"})
			if err := os.WriteFile(filepath.Join(s.dir, "index.html"), []byte("the page"), 0o600); err != nil {
				t.Fatal(err)
			}
			answer := s.deliver(delivery{})
			if taken := answer.status != http.StatusOK; taken != test.takes {
				t.Errorf("the webhook got %d %q", answer.status, answer.body)
			}
			if got := strings.Count(s.logs(), "try_files rewrites the path before this directive"); got != test.warnings {
				t.Errorf("warned %d times, want %d:\n%s", got, test.warnings, s.logs())
			}
			for _, directive := range []string{"ccpayment_webhook", "ccpayment_status"} {
				if named := strings.Contains(s.logs(), `"directive":"`+directive); named != (test.warnings > 0) {
					t.Errorf("the log names %s: %t", directive, named)
				}
			}
		})
	}
}
