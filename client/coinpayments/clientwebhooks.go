package coinpayments

// Notification is an event that webhooks are sent for.
type Notification string

// The documented events of invoices (reference, Webhooks). An invoice's webhooks write
// them in another case.
const (
	NotifyInvoiceCreated   Notification = "invoiceCreated"
	NotifyInvoicePending   Notification = "invoicePending" // for each confirmation anew
	NotifyInvoicePaid      Notification = "invoicePaid"
	NotifyInvoiceCompleted Notification = "invoiceCompleted"
	NotifyInvoiceCancelled Notification = "invoiceCancelled"
	NotifyInvoiceTimedOut  Notification = "invoiceTimedOut"
)

// Notifications are all documented events.
func Notifications() []Notification {
	return []Notification{
		NotifyInvoiceCreated, NotifyInvoicePending, NotifyInvoicePaid, NotifyInvoiceCompleted, NotifyInvoiceCancelled, NotifyInvoiceTimedOut,
	}
}

func writeWebhook(o *object, url string, notifications []Notification) {
	if url == "" {
		o.wrong("notificationsUrl", "is missing")
	}
	o.link("notificationsUrl", url)
	if len(notifications) == 0 {
		o.wrong("notifications", "is empty")
	}
	o.value("notifications", notifications)
}
