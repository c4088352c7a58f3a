// Package purchase plays one purchase, from the click on "pay" to the order that is
// fulfilled, over any store: a buyer, CCPayment's sandbox, the checkout and the route in
// between, and an app with an inbox. It counts what is done on the way, and plays the
// purchase again and again with one or two operations of it failing: calls of the store,
// what these do to the file or the database, calls of CCPayment's API, and calls of the
// app. All is in virtual time, so that leases run out and senders send again at once.
package purchase
