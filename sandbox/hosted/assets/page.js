"use strict";

// Copy buttons exist only where there is a script to serve them.
async function copy(button) {
	const source = document.getElementById(button.dataset.copy);
	try {
		await navigator.clipboard.writeText(source.textContent);
		button.textContent = "Copied";
	} catch {
		getSelection().selectAllChildren(source);
		button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
	}
	say(button.textContent);
	setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

const live = document.createElement("p");
live.className = "hidden";
live.setAttribute("aria-live", "polite");
document.body.append(live);

// Screen readers speak what changes, so the text comes after the element.
function say(text) {
	live.textContent = "";
	setTimeout(() => { live.textContent = text; }, 100);
}

for (const button of document.querySelectorAll("[data-copy]")) {
	button.hidden = false;
	button.addEventListener("click", () => copy(button));
}

// A second click on a button that is on its way would pay twice.
for (const form of document.forms) {
	form.addEventListener("submit", (event) => {
		if (form.dataset.sent) event.preventDefault();
		form.dataset.sent = "yes";
	});
}
addEventListener("pageshow", () => {
	for (const form of document.forms) delete form.dataset.sent;
});

function words(s) {
	const two = (n) => String(n).padStart(2, "0");
	if (s >= 86400) return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
	if (s >= 3600) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
	if (s >= 60) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
	return `${s} s`;
}

// The sandbox's time may differ from the machine's, so seconds are counted
// from when the page was loaded.
const clock = document.querySelector("[data-left]");
if (clock) {
	const left = Number(clock.dataset.left);
	const timer = setInterval(() => {
		const rest = Math.max(0, left - Math.floor(performance.now() / 1000));
		clock.textContent = words(rest);
		if (rest === 0) {
			clearInterval(timer);
			reload();
		}
	}, 1000);
}

// The page loads itself anew, but never under somebody who types or looks
// elsewhere, and gives the focus back. Selected text delays it for a while.
const focusKey = "focus " + location.pathname;
const stateKey = "state " + location.pathname;

let patience = 20;

function reload() {
	const typing = document.activeElement.matches("input, select");
	const selecting = getSelection().type === "Range" && patience-- > 0;
	if (document.hidden || typing || selecting || document.querySelector("[data-sent]")) {
		setTimeout(reload, 1000);
		return;
	}
	sessionStorage.setItem(focusKey, document.activeElement.id);
	location.reload();
}

if (document.body.dataset.refresh) setTimeout(reload, 1000 * document.body.dataset.refresh);

const focused = document.getElementById(sessionStorage.getItem(focusKey) || "");
sessionStorage.removeItem(focusKey);
if (focused) focused.focus({ preventScroll: true });

// A page loaded anew says nothing by itself: tell that the state changed.
const state = document.querySelector(".state-name");
if (state) {
	const before = sessionStorage.getItem(stateKey);
	sessionStorage.setItem(stateKey, state.textContent);
	if (before && before !== state.textContent) say(state.textContent);
}
