package coinpayments

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// problem is an error of the API, written as ProblemDetails.
type problem struct {
	Type     string              `json:"type"`
	Title    string              `json:"title"`
	Status   int                 `json:"status"`
	Detail   string              `json:"detail,omitempty"`
	Instance string              `json:"instance,omitempty"`
	Errors   map[string][]string `json:"errors,omitempty"`
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s", p.Status, p.Detail) }

func refuse(status int, format string, args ...any) *problem {
	return &problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...),
	}
}

func unauthorized(format string, args ...any) error {
	return refuse(http.StatusUnauthorized, format, args...)
}

func notFound(format string, args ...any) error { return refuse(http.StatusNotFound, format, args...) }

func invalid(field, format string, args ...any) error {
	p := refuse(http.StatusBadRequest, "%s: %s", field, fmt.Sprintf(format, args...))
	p.Title = "One or more validation errors occurred."
	p.Errors = map[string][]string{field: {fmt.Sprintf(format, args...)}}
	return p
}

// writeProblem answers a call of a path with what was wrong.
func writeProblem(w http.ResponseWriter, path string, err error) *problem {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		p = refuse(http.StatusInternalServerError, "%s", err.Error())
	}
	p.Instance = path
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a caller who left is no concern
	return p
}
