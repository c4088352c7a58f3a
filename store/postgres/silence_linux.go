package postgres

import (
	"net"
	"syscall"
	"time"
)

// mostSilence is how long a server may leave what was sent to it unacknowledged, which
// the system does, however long a statement takes. Without a limit a connection to a
// machine that is gone hangs for a quarter of an hour.
const mostSilence = 20 * time.Second

const tcpUserTimeout = 18 // TCP_USER_TIMEOUT, which package syscall does not have

func limitSilence(network, _ string, conn syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return conn.Control(func(fd uintptr) {
		// A system without it has the connection hang longer.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(mostSilence.Milliseconds()))
	})
}

// isQuiet reports whether nothing came on a connection that is not in use. What comes
// there is that it was closed, and why.
func isQuiet(conn net.Conn) bool {
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = inner.NetConn()
	}
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return false
	}
	isQuiet := false
	// Not by Read, which would wait for pgx's own reader in the background.
	err = control.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		isQuiet = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && isQuiet
}
