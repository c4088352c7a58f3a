//go:build failpoint

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// point is what happens at one place, when it is reached for the n-th time.
type point struct {
	action  string
	times   int64
	reached atomic.Int64
}

var points = parse(os.Getenv(Variable))

func parse(text string) map[string]*point {
	points := make(map[string]*point)
	for part := range strings.SplitSeq(text, ",") {
		action, rest, _ := strings.Cut(part, ":")
		place, number, _ := strings.Cut(rest, ":")
		if action == "" {
			continue
		}
		times, err := strconv.ParseInt(number, 10, 64)
		if err != nil || action != "kill" && action != "hold" {
			panic(Variable + " is not kill or hold, a place and a number: " + part)
		}
		points[place] = &point{action: action, times: times}
	}
	return points
}

// Reach says that the code has reached the point with this name. At the n-th call the
// process dies as from SIGKILL (kill), or the caller blocks until somebody kills the
// process (hold).
func Reach(name string) {
	p := points[name]
	if p == nil || p.reached.Add(1) != p.times {
		return
	}
	if p.action == "kill" {
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
