// Asks Caddy, at /status, how the order stands, with the token that Caddy put
// into this page's address. Caddy answers as soon as something changes.
const page = document.getElementById('order');
const status = page.dataset.status; // where, for this order
const query = new URLSearchParams(location.search);
const token = query.get('ccpayment_t') ?? query.get('t');

// Exact: the amounts stay text.
const money = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2, useGrouping: false });

function show(order) {
	for (const [name, amount] of [['due', order.amount_due], ['paid', order.amount_paid]]) {
		for (const place of page.querySelectorAll(`[data-amount=${name}]`)) {
			place.textContent = `${money.format(amount)} ${order.currency}`;
		}
	}
	// That the gateway sends the money back, only the shop was told.
	if (page.dataset.state === 'returned' && ['processing', 'unpaid'].includes(order.state)) return;
	if (page.dataset.state !== order.state) page.dataset.state = order.state;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function watch() {
	let wait = '0s';
	for (;;) {
		try {
			const answer = await fetch(`${status}?wait=${wait}&t=${encodeURIComponent(token)}`);
			if (answer.status === 404) return; // not a token of ours
			if (!answer.ok) throw new Error(answer.statusText);
			const order = await answer.json();
			show(order);
			if (order.fulfilled) return;
			wait = '25s';
		} catch {
			await pause(3000); // the connection broke, or Caddy starts anew
		}
	}
}

if (token && status) {
	document.getElementById('by-itself').hidden = false;
	document.getElementById('reload').hidden = true;
	watch();
}
