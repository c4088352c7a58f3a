package ccpayment_test

import (
	"net/http"
	"strconv"
	"testing"
)

// TestLoweredGrace: a lower file_grace counts for a secret that was replaced before it, too.
func TestLoweredGrace(t *testing.T) {
	file := newSecretFile(t, "secret-1")
	with := func(grace string) setup {
		return setup{global: adminOn, webhook: "account shop", site: rotatedSite, account: file.account("file_grace " + grace)}
	}
	s := start(t, with("1h"))
	file.write("secret-2")
	s.awaitGeneration(2)
	s.deliver(delivery{secret: "secret-1", body: deposit("before", "Success")}).wants(t, http.StatusOK)
	s.load(with("100ms"))
	copies := 0
	await(t, "the replaced secret has had its grace", func() bool {
		copies++
		return s.deliver(delivery{secret: "secret-1", body: deposit("r"+strconv.Itoa(copies), "Success")}).status == http.StatusUnauthorized
	})
	s.deliver(delivery{secret: "secret-2", body: deposit("after", "Success")}).wants(t, http.StatusOK)
}
