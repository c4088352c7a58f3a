package coinpayments

import (
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/hosted"
)

// LatestOrders lists so many invoices for the sandbox's front page, the newest first.
func (s *Sandbox) LatestOrders(most int) []hosted.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []hosted.Order{}
	for _, i := range slices.Backward(s.st.invoices) {
		if len(list) == most {
			break
		}
		list = append(list, hosted.Order{
			Gateway: "CoinPayments", OrderID: i.orderID(), Product: i.product(),
			Price: i.currency.text(i.total) + " " + i.currency.symbol,
			State: i.pageState(), CreatedAt: i.createdAt, PageURL: pagePath(i.id),
		})
	}
	return list
}
