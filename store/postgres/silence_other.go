//go:build !linux

package postgres

import (
	"net"
	"syscall"
)

func limitSilence(_, _ string, _ syscall.RawConn) error { return nil }

func isQuiet(net.Conn) bool { return true }
