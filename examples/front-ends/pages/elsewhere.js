// The shop's address, which is another origin than this page's.
const query = new URLSearchParams(location.search);
const shop = query.get('shop');
const state = document.getElementById('state');

document.getElementById('buy').addEventListener('click', async () => {
	const answer = await fetch(`${shop}/buy`, { method: 'POST', credentials: 'include' });
	location.href = (await answer.json()).checkout_url;
});

// Back from the checkout page.
const token = query.get('ccpayment_t') ?? query.get('t');
(async () => {
	for (let wait = '0s'; token; wait = '25s') {
		const answer = await fetch(`${shop}/status?wait=${wait}&t=${token}`);
		if (!answer.ok) return;
		const order = await answer.json();
		state.textContent = order.state;
		if (order.fulfilled) return;
	}
})().catch(() => {}); // the page was left
