package main

import (
	"syscall"
	"time"
)

// sleepUntil is exact to about 0.1 ms, where time.Sleep is to 1 ms.
func sleepUntil(at time.Time) {
	for left := time.Until(at); left > 0; left = time.Until(at) {
		pause := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&pause, nil) // interrupted: sleeps again
	}
}
