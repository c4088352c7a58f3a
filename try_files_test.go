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
		"above a handle":     {"root $DIR\nroute {\ntry_files {path} /index.html\nhandle /hook {\nccpayment_webhook $APP {\nconfirm off\n}\n}\n}\nfile_server", true, 1},
		"in a route":         {"root $DIR\nroute {\nroute {\ntry_files {path} /index.html\n}" + directives + "\n}\nfile_server", true, 2},
		"with a query":       {"root $DIR\ntry_files {path} /index.html?{query}&p={path}" + directives + "\nfile_server", true, 2},
		"with a placeholder": {"root $DIR\ntry_files {path} /{env.CCPAYMENT_TEST_INDEX}.html" + directives + "\nfile_server", true, 2},
		"or an error":        {"root $DIR\ntry_files {path} /index.html =404" + directives + "\nfile_server", true, 2},
		"no file":            {"root $DIR\n@nofile not file\nrewrite @nofile /index.html" + directives + "\nfile_server", true, 2},
		"everything":         {"root $DIR\nrewrite * /index.html" + directives + "\nfile_server", true, 2},
		"not for others":     {"root $DIR\n@others {\nnot path /api*\nfile {\ntry_files {path} /index.html\n}\n}\nrewrite @others {file_match.relative}" + directives + "\nfile_server", true, 2},
		"only a query":       {"root $DIR\nrewrite * ?a=b" + directives + "\nfile_server", false, 0},
		"moved":              {"root $DIR\nrewrite * /in{uri}\n" + strings.NewReplacer("/hook", "/in/hook", "/status", "/in/status").Replace(directives) + "\nfile_server", false, 0},
		"some paths":         {"root $DIR\nrewrite /old* /index.html" + directives + "\nfile_server", false, 0},
		"all that begin so":  {"root $DIR\n@others not path /ho* /st*\nrewrite @others /index.html" + directives + "\nfile_server", false, 0},
		"of another handle":  {"root $DIR\nroute {\nhandle /shop/* {\ntry_files {path} /index.html\n}" + directives + "\n}\nfile_server", false, 0},
		"any path":           {"root $DIR\ntry_files {path} /index.html\nccpayment_webhook /* $APP {\nconfirm off\n}", false, 0},
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
			t.Setenv("CCPAYMENT_TEST_INDEX", "index")
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
				if named := strings.Contains(s.logs(), `"directive":"`+directive); test.warnings != 1 && named != (test.warnings > 0) {
					t.Errorf("the log names %s: %t", directive, named)
				}
			}
		})
	}
}
