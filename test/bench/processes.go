package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// processes are programs with all that they have started, as Linux lists them
// in /proc. Elsewhere their figures are 0.
type processes []int

// memory is what processes hold, in bytes. Pages that two of them share count
// in both.
type memory struct {
	resident  int
	anonymous int // without files, such as the ledger's, that the system keeps in its cache
}

func (m memory) highest(n memory) memory {
	return memory{max(m.resident, n.resident), max(m.anonymous, n.anonymous)}
}

// stat returns the numbers of /proc/<pid>/stat that follow the state.
func stat(pid int) (numbers []int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// Before them stands the name, which may contain anything.
	for _, field := range strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[1:] {
		n, _ := strconv.Atoi(field) // the kernel writes numbers; those too large do not matter here
		numbers = append(numbers, n)
	}
	return numbers
}

// tree is the processes and their descendants of now.
func (p processes) tree() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if numbers := stat(pid); len(numbers) > 0 {
			children[numbers[0]] = append(children[numbers[0]], pid)
		}
	}
	all := append([]int(nil), p...)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// cpu is the processor time that they have used so far, that of children that
// have ended included.
func (p processes) cpu() time.Duration {
	const user, childrensSystem = 10, 13 // and the two between
	const tick = 10 * time.Millisecond
	var ticks int
	for _, pid := range p.tree() {
		numbers := stat(pid)
		if len(numbers) <= childrensSystem {
			continue // it has ended
		}
		for _, n := range numbers[user : childrensSystem+1] {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

func (p processes) memory() (m memory) {
	for _, pid := range p.tree() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			name, rest, _ := strings.Cut(line, ":")
			if name != "VmRSS" && name != "RssAnon" {
				continue
			}
			kib, _ := strconv.Atoi(strings.Fields(rest)[0]) // the kernel writes a number
			if name == "VmRSS" {
				m.resident += kib << 10
			} else {
				m.anonymous += kib << 10
			}
		}
	}
	return m
}

// watch looks at the memory ten times a second until peak is called, which
// returns the most that was seen.
func (p processes) watch() (peak func() memory) {
	stop, result := make(chan struct{}), make(chan memory)
	go func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		most := p.memory()
		for {
			select {
			case <-ticker.C:
				most = most.highest(p.memory())
			case <-stop:
				result <- most.highest(p.memory())
				return
			}
		}
	}()
	return func() memory {
		close(stop)
		return <-result
	}
}
