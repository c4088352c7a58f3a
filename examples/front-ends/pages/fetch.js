document.getElementById('buy').addEventListener('click', async () => {
	const answer = await fetch('/buy', { method: 'POST' });
	const order = await answer.json();
	if (answer.ok) location.href = order.checkout_url;
	else document.getElementById('state').textContent = order.error.message;
});
