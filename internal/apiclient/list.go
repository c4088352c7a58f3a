package apiclient

import "context"

// ListOption says how a list is walked through.
type ListOption func(*Walk)

// Walk is what the options of a list come to.
type Walk struct {
	// Turn is called before each page is asked for. An error of it ends the list.
	Turn func(context.Context) error
}

// BeforePage has turn called before each page.
func BeforePage(turn func(context.Context) error) ListOption {
	return func(w *Walk) { w.Turn = turn }
}

// WalkOf returns what options come to.
func WalkOf(options []ListOption) (w Walk) {
	w.Turn = func(context.Context) error { return nil }
	for _, option := range options {
		option(&w)
	}
	return w
}
