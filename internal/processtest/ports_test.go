package processtest

import "testing"

// TestPorts: no two tests have a port at the same time, and released ports are used
// again.
func TestPorts(t *testing.T) {
	given := make(map[string]bool)
	var lent []string
	t.Run("one test", func(t *testing.T) {
		lent = Ports(t, blockSize/2)
	})
	for range 5 {
		for _, port := range Ports(t, blockSize/2) {
			if given[port] {
				t.Errorf("%s was given twice", port)
			}
			given[port] = true
		}
	}
	for _, port := range lent {
		if !given[port] {
			t.Errorf("%s was not given again", port)
		}
	}
}

// TestPortsOfOthers: a port that something listens on is not returned.
func TestPortsOfOthers(t *testing.T) {
	taken := Ports(t, 1)[0]
	listener := listen(taken)
	if listener == nil {
		t.Fatal("it is not free")
	}
	defer listener.Close()
	t.Run("given back too early", func(t *testing.T) {
		portsMu.Lock()
		freed = append([]string{taken}, freed...)
		portsMu.Unlock()
		if got := Ports(t, 1)[0]; got == taken {
			t.Errorf("%s was given", got)
		}
	})
}
