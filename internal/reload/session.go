package reload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// introduce returns what this process says of itself to the others, after a look at what
// they have said.
func (s *Shared) introduce() ledger.Session {
	about := s.session()
	s.compare(about)
	return about
}

// session is what this process says of itself to the others that share the ledger.
func (s *Shared) session() ledger.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	confirms := make(map[string]bool)
	for h := range s.holders { // one may be about to take a route over from another
		for _, route := range h.routes {
			if route.Name == "" {
				continue // work that is no route's
			}
			before, isServed := confirms[route.Name]
			confirms[route.Name] = route.Confirms && (before || !isServed)
		}
	}
	about := ledger.Session{Name: processName()}
	if len(s.queue) > 0 {
		about.Options = s.queue[0].options // the one that works, or is about to
	}
	for _, name := range slices.Sorted(maps.Keys(confirms)) {
		about.Routes = append(about.Routes, ledger.SessionRoute{Name: name, Confirms: confirms[name]})
	}
	return about
}

// digests tell options' values apart, in a few letters.
func digests(options map[string]any) map[string]string {
	short := make(map[string]string, len(options))
	for name, value := range options {
		text, _ := json.Marshal(value) // of numbers, texts and lists of them, which is always possible
		sum := sha256.Sum256(text)
		short[name] = hex.EncodeToString(sum[:8])
	}
	return short
}

func (s *Shared) sessionFailed(err error) {
	if err != nil {
		s.logger.Error("this process's session at the ledger cannot be renewed: after ten seconds it hands nothing over until it can", zap.Error(err))
		return
	}
	s.logger.Info("the session at the ledger is renewed again")
}

// processName is the machine's name and the process's id.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// compare warns of the options that this process has not alike with the others: once,
// until that changes.
func (s *Shared) compare(about ledger.Session) {
	var differences []string
	for _, other := range s.Others() {
		if options := about.Differences(other); len(options) > 0 {
			differences = append(differences, other.Name+": "+strings.Join(options, ", "))
		}
	}
	slices.Sort(differences)
	switch {
	case slices.Equal(differences, s.differences):
	case len(differences) > 0:
		s.logger.Warn("others that share the ledger have other options, so that it depends on where a webhook arrives what becomes of it: load the same configuration into all",
			zap.Strings("differences", differences))
	default:
		s.logger.Info("all that share the ledger have the same options again")
	}
	s.differences = differences
}
