package console

import "testing"

// TestCauseText: of an operator's step the last parenthesis is who took it, and shown as it
// is; every other e-mail address is not.
func TestCauseText(t *testing.T) {
	for _, test := range []struct {
		byOperator bool
		text, want string
	}{
		{true, "sold out (alice@ops.example)", "sold out (alice@ops.example)"},
		{true, "asked eve@example.com (eve@example.com) (alice@ops.example)", "asked REDACTED (REDACTED) (alice@ops.example)"},
		{true, "asked (eve@example.com).", "asked (REDACTED)."},
		{true, "asked eve@example.com", "asked REDACTED"},
		{true, "eve@example.com)", "REDACTED)"},
		{false, "the app answered 500 (eve@example.com)", "the app answered 500 (REDACTED)"},
	} {
		if got := causeText(test.byOperator, test.text); got != test.want {
			t.Errorf("%q is shown as %q, want %q", test.text, got, test.want)
		}
	}
}
