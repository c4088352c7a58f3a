//go:build failpoint

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

var (
	action, place, times = parse(os.Getenv(Variable))
	reached              atomic.Int64
)

func parse(text string) (action, place string, times int64) {
	action, rest, _ := strings.Cut(text, ":")
	place, number, _ := strings.Cut(rest, ":")
	if action == "" {
		return "", "", 0
	}
	times, err := strconv.ParseInt(number, 10, 64)
	if err != nil || action != "kill" && action != "hold" {
		panic(Variable + " is not kill or hold, a place and a number: " + text)
	}
	return action, place, times
}

// Reach says that the code has reached the point with this name. At the n-th call the
// process dies as from SIGKILL (kill), or the caller blocks until somebody kills the
// process (hold).
func Reach(name string) {
	if place != name || reached.Add(1) != times {
		return
	}
	if action == "kill" {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic("ending the process: " + err.Error())
		}
	}
	select {}
}
