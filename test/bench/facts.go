package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// facts are what the figures depend on.
func (b *bench) facts() [][2]string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // "" elsewhere
	return [][2]string{
		{"Date", time.Now().UTC().Format(time.DateOnly)},
		{"CPU", fmt.Sprintf("%s, %d cores, shared by load, app, Caddy and peers", cpuModel(), runtime.NumCPU())},
		{"System", strings.TrimSpace(fmt.Sprintf("%s/%s %s", runtime.GOOS, runtime.GOARCH, kernel))},
		{"Go, Caddy", fmt.Sprintf("%s; %s", runtime.Version(), caddyVersion(b.caddy))},
		{"Ledger", fmt.Sprintf("bolt on %s, every outcome synced to disk before its answer; concurrent ones share a commit", fileSystem(b.ledgerDir))},
		{"Peers", b.versions() + "; Redis appends to its file, on the same disk, and flushes it as said"},
		{"Load", fmt.Sprintf("%d connections, %d pairs of %s; the app is in the process that sends", b.connections, b.rounds, b.duration)},
	}
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

// caddyVersion returns what the binary was built from.
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
