package hookpath

import (
	"slices"
	"strings"
	"testing"
)

// TestProblems: only what is certainly wrong is told.
func TestProblems(t *testing.T) {
	// at puts a webhook behind routes that match these paths, one inside the other.
	at := func(paths ...[]string) []Route {
		handlers := []Handler{{Hook: "webhook"}}
		for _, patterns := range slices.Backward(paths) {
			route := Route{Handlers: handlers}
			if patterns != nil {
				route.Sets = [][]Matcher{{{Paths: patterns}}}
			}
			handlers = []Handler{{Routes: []Route{route}}}
		}
		return []Route{{Handlers: handlers}}
	}
	routes := map[string]string{"webhook": ""}
	const shop = "https://shop.example"
	for name, test := range map[string]struct {
		url    string
		routes map[string]string
		hooks  []Route
		sells  bool
		want   string
	}{
		"the same":             {shop + "/hook", routes, at([]string{"/hook"}), true, ""},
		"in another case":      {shop + "/Hook", routes, at([]string{"/hook"}), true, ""},
		"another":              {shop + "/webhook", routes, at([]string{"/hook"}), true, "down to the slash"},
		"a slash more":         {shop + "/hook/", routes, at([]string{"/hook"}), true, "down to the slash"},
		"no path":              {shop, routes, at([]string{"/hook"}), true, "down to the slash"},
		"all below":            {shop + "/pay/hook", routes, at([]string{"/pay/*"}), true, ""},
		"one of two":           {shop + "/b", routes, at([]string{"/a", "/b"}), true, ""},
		"outside and inside":   {shop + "/pay/hook", routes, at([]string{"/pay/*"}, []string{"/hook"}), true, "down to the slash"},
		"outside":              {shop + "/pay/hook", routes, at([]string{"/pay/*"}, nil), true, ""},
		"a placeholder":        {shop + "/hook", routes, at([]string{"/{env.HOOK}"}), true, ""},
		"any path":             {shop + "/hook", routes, at(nil), true, ""},
		"the console's":        {"", routes, at([]string{"/hook"}), true, ""},
		"no hook":              {"", nil, nil, true, "add one"},
		"no hook, no checkout": {"", nil, nil, false, ""},
		"no hook for the URL":  {shop + "/hook", nil, nil, false, "down to the slash"},
		"a hook out of sight":  {shop + "/hook", routes, nil, true, ""},
		"another account's":    {shop + "/hook", map[string]string{"webhook": "b"}, []Route{{Handlers: []Handler{{Account: "b", Hook: "webhook"}}}}, true, "add one"},
	} {
		var sells []string
		if test.sells {
			sells = []string{"other", ""}
		}
		shop := []Route{{Handlers: []Handler{{Sells: sells}}}}
		problems := Site{URLs: map[string]string{"": test.url}, Hooks: test.routes, Servers: [][]Route{shop, test.hooks}}.Problems()
		if (len(problems) > 0) != (test.want != "") || len(problems) > 0 && !strings.Contains(problems[0].Text, test.want) {
			t.Errorf("%s: %+v, want %q", name, problems, test.want)
		}
	}
}
