package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// init has the time of day, and no monotonic clock, go ahead by the seconds in a
// file, as when somebody sets the machine's clock.
func init() {
	file := os.Getenv("CLOCK_AHEAD")
	if file == "" {
		return
	}
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err == nil && time.Ahead.Swap(seconds) != seconds {
				fmt.Println("the clock is ahead by", seconds)
			}
		}
	}()
}
