// Asks Caddy, at /status, how the order stands, with the token that Caddy put
// into this page's address. Caddy answers as soon as something changes.
const query = new URLSearchParams(location.search);
const token = query.get('ccpayment_t') ?? query.get('t');
const texts = {
	unpaid: 'Waiting for your payment. This page changes by itself.',
	processing: 'Your payment is on its way. This page changes by itself.',
	partial: 'A part has arrived. Please go back to the payment page, and pay the rest.',
	review: 'Your payment has arrived, and is being checked.',
	paid: 'It has arrived. You are keeping the light on.',
	overpaid: 'It has arrived, and more than you promised. You are keeping the light on.',
	expired: 'The time to pay is up. You can begin anew.',
	closed: 'This is not to be paid any more. Please do not pay it.',
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function watch() {
	for (let wait = '0s'; ; wait = '25s') {
		try {
			const answer = await fetch(`/status?wait=${wait}&t=${encodeURIComponent(token)}`);
			if (answer.status === 404) return; // not a token of ours
			if (!answer.ok) throw new Error(answer.statusText);
			const order = await answer.json();
			document.getElementById('state').textContent = texts[order.state] ?? '';
			if (order.fulfilled) return;
		} catch {
			await pause(3000); // the connection broke, or Caddy starts anew
		}
	}
}

if (token) watch();
