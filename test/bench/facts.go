package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// printFacts says what the figures depend on.
func (b *bench) printFacts() {
	fmt.Println("| | |")
	fmt.Println("| --- | --- |")
	fact := func(name, value string) { fmt.Printf("| %s | %s |\n", name, value) }
	fact("CPU", fmt.Sprintf("%s, %d cores", cpuModel(), runtime.NumCPU()))
	fact("System", runtime.GOOS+"/"+runtime.GOARCH)
	fact("Go", runtime.Version())
	fact("Caddy", caddyVersion(b.caddy))
	fact("Ledger", fmt.Sprintf("bolt on %s, every outcome synced to disk before its answer; concurrent ones share a commit", fileSystem(b.server.dir)))
	fact("Load", fmt.Sprintf("%d connections from this process, %d pairs of %s; the app is in this process too", b.connections, b.rounds, b.duration))
}

const unknown = "unknown"

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// caddyVersion tells what the binary was made of.
func caddyVersion(binary string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return unknown
	}
	version := "built with " + info.GoVersion
	for _, module := range info.Deps {
		if module.Path == "github.com/caddyserver/caddy/v2" {
			version = module.Version + ", " + version
		}
	}
	for _, setting := range info.Settings {
		if setting.Key == "-race" && setting.Value == "true" {
			version += ", with the race detector: no figure for anybody"
		}
	}
	return version
}

// fileSystem returns the type of what is mounted where the directory is.
func fileSystem(dir string) string {
	text, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return unknown
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	best, typ := "", unknown
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < len(best) {
			continue
		}
		if rel, err := filepath.Rel(fields[1], dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			best, typ = fields[1], fields[2]
		}
	}
	if typ == "tmpfs" {
		typ += " (memory, not a disk: choose another --ledger-dir)"
	}
	return typ
}

// cpu returns the processor time that Caddy has used so far, where the system
// tells it as Linux does.
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// After the name, which may contain anything, come the state and ten numbers
	// before the two that count.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	const tick = 10 * time.Millisecond
	user, _ := strconv.Atoi(fields[11]) // 0 if it is no number, like the time above
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}
