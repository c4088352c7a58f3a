package processtest

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// The ports are below the system's ephemeral ports, so that no outgoing connection takes
// the port of a server that is being restarted. A block of ports belongs to the process
// that listens on its first, so that no two tests share a port, whichever packages run
// at the same time.
const (
	firstPort, lastPort = 20000, 32000
	blockSize           = 100
)

var (
	portsMu sync.Mutex
	// freed are the ports of our blocks that no test uses, in the order in which they
	// were released.
	freed  []string
	blocks []net.Listener
)

// Ports returns n ports of 127.0.0.1 that nothing listens on, and that no other test
// gets until this one has ended.
func Ports(t testing.TB, n int) []string {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	var ports []string
	for len(ports) < n {
		if len(freed) == 0 && !claim() {
			t.Fatal("no free ports")
		}
		port := freed[0]
		freed = freed[1:]
		if listener := listen(port); listener != nil {
			listener.Close()
			ports = append(ports, port)
		}
	}
	t.Cleanup(func() {
		portsMu.Lock()
		defer portsMu.Unlock()
		freed = append(freed, ports...)
	})
	return ports
}

// Port returns a port as [Ports] does, which this process keeps until its end.
func Port() string {
	portsMu.Lock()
	defer portsMu.Unlock()
	for len(freed) > 0 || claim() {
		port := freed[0]
		freed = freed[1:]
		if listener := listen(port); listener != nil {
			listener.Close()
			return port
		}
	}
	return "0" // which no server can be given
}

// Listen listens on an address that nothing but this test listens on. A process that is being
// started beside it has a copy of each socket of this one until it begins, so that a port is
// not free yet although its listener was closed.
func Listen(t testing.TB, address string) (listener net.Listener) {
	t.Helper()
	Until(t, "nothing listens on "+address, func() (isFree bool) {
		var err error
		listener, err = net.Listen("tcp", address)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
		return err == nil
	})
	return listener
}

// claim reserves a block of ports for this process. It returns false where none is left.
func claim() bool {
	for first := firstPort; first < lastPort; first += blockSize {
		if listener := listen(strconv.Itoa(first)); listener != nil {
			blocks = append(blocks, listener)
			for port := first + 1; port < first+blockSize; port++ {
				freed = append(freed, strconv.Itoa(port))
			}
			return true
		}
	}
	return false
}

func listen(port string) net.Listener {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil
	}
	return listener
}
