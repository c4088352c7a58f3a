// What jQuery's $.ajax({ url: '/buy', method: 'POST', dataType: 'html' }) sends.
document.getElementById('buy').addEventListener('click', () => {
	const request = new XMLHttpRequest();
	request.open('POST', '/buy');
	request.setRequestHeader('Accept', 'text/html, */*; q=0.01');
	request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
	request.onload = () => { location.href = JSON.parse(request.responseText).checkout_url; };
	request.send();
});
