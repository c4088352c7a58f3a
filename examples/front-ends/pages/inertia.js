const { router } = window.inertia;
router.init({
	initialPage: { component: 'Cart', props: {}, url: location.pathname, version: null },
	resolveComponent: async (name) => name,
	swapComponent: async () => {},
});
document.getElementById('buy').addEventListener('click', () => router.post('/buy'));
