package checkout

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Origins are the origins whose pages may read a response: such as
// https://shop.example, or * for any.
type Origins []string

const anyOrigin = "*"

// ParseOrigins checks origins.
func ParseOrigins(texts []string) (Origins, error) {
	var origins Origins
	for _, text := range texts {
		origin := strings.ToLower(text)
		if origin != anyOrigin && !isOrigin(origin) {
			return nil, fmt.Errorf("cors: %q is no origin as browsers send it, such as https://shop.example: no path, and a port only where it is not the scheme's own", origin)
		}
		origins = append(origins, origin)
	}
	return origins, nil
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && text == u.Scheme+"://"+u.Host &&
		(u.Scheme != "https" || u.Port() != "443") && (u.Scheme != "http" || u.Port() != "80")
}

// Allow lets the request's page read the response if its origin is allowed, and reports
// whether it is.
func (o Origins) Allow(header http.Header, r *http.Request) bool {
	if len(o) == 0 {
		return false
	}
	origin := r.Header.Get("Origin")
	header.Add("Vary", "Origin")
	switch {
	case origin == "":
		return false
	case slices.Contains(o, strings.ToLower(origin)):
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true") // for scripts that send cookies everywhere: none is read
	case slices.Contains(o, anyOrigin):
		header.Set("Access-Control-Allow-Origin", anyOrigin)
	default:
		return false
	}
	header.Set("Access-Control-Expose-Headers", "Retry-After")
	return true
}

// IsPreflight reports whether a browser asks whether a page may send its request.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// Preflight tells a browser that the page may.
func Preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, HEAD")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		header.Set("Access-Control-Allow-Headers", asked)
	}
	header.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}
