// Copies a text, and looks again while something runs. Without this script a text is
// selected by hand, and a link looks again.
for (const button of document.querySelectorAll("[data-copy]")) {
	if (!navigator.clipboard) continue;
	button.hidden = false;
	button.addEventListener("click", async () => {
		await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
		button.textContent = "Copied";
	});
}
const running = document.querySelector("[data-reload]");
if (running) {
	setTimeout(() => {
		// Whoever fills in a form is not disturbed.
		if (!document.activeElement || !document.activeElement.closest("form")) location.reload();
	}, running.dataset.reload * 1000);
}
