package coinpayments

// routes are all endpoints of the reference.
var routes = []route{
	{name: "createInvoice", method: "POST", versions: "v1 v2", path: "/merchant/invoices", handle: createInvoice},
	{name: "listInvoices", method: "GET", versions: "v1 v2", path: "/merchant/invoices", handle: listInvoices},
	{name: "findInvoice", method: "GET", versions: "v1 v2", path: "/merchant/invoices/{id}", handle: findInvoice},
	{name: "cancelInvoice", method: "POST", versions: "v1", path: "/merchant/invoices/{id}/cancel", handle: cancelInvoice},
}
