package coinpayments

import (
	"slices"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// clientHook is a webhook of the integration, which gets the events of every invoice.
type clientHook struct {
	id string
	hook
}

// ownClient refuses a call about another integration's webhooks.
func (c *call) ownClient() error {
	if undashed(c.PathValue("client")) != c.s.client {
		return notFound("no integration has the client id %s", c.PathValue("client"))
	}
	return nil
}

// readHook reads the body of a webhook of the integration.
func (c *call) readHook() (hook, error) {
	var in hook
	if err := c.read(&in); err != nil {
		return in, err
	}
	return in, in.check("")
}

func createClientHook(c *call) (reply, error) {
	if err := c.ownClient(); err != nil {
		return reply{}, err
	}
	in, err := c.readHook()
	if err != nil {
		return reply{}, err
	}
	made := &clientHook{id: newUUID(), hook: in}
	c.st.hooks = append(c.st.hooks, made)
	return created(object{"id": made.id})
}

// listClientHooks lists the webhooks of the integration, of one notification if a type is
// named.
func listClientHooks(c *call) (reply, error) {
	if err := c.ownClient(); err != nil {
		return reply{}, err
	}
	items := []object{}
	for _, h := range c.st.hooks {
		if kind := c.query.Get("type"); kind == "" || slices.Contains(h.Notifications, kind) {
			items = append(items, object{"id": h.id, "notificationsUrl": h.URL, "notifications": h.Notifications})
		}
	}
	return ok(object{"items": items, "paging": paging(len(items), nil)})
}

// hookAt finds the place of the webhook that the path names.
func (c *call) hookAt() (int, error) {
	if err := c.ownClient(); err != nil {
		return 0, err
	}
	at := slices.IndexFunc(c.st.hooks, func(h *clientHook) bool { return undashed(h.id) == undashed(c.PathValue("hook")) })
	if at < 0 {
		return 0, notFound("no webhook has the id %s", c.PathValue("hook"))
	}
	return at, nil
}

func updateClientHook(c *call) (reply, error) {
	at, err := c.hookAt()
	if err != nil {
		return reply{}, err
	}
	in, err := c.readHook()
	if err != nil {
		return reply{}, err
	}
	c.st.hooks[at].hook = in
	return ok(object{"id": c.st.hooks[at].id})
}

func deleteClientHook(c *call) (reply, error) {
	at, err := c.hookAt()
	if err != nil {
		return reply{}, err
	}
	c.st.hooks = slices.Delete(c.st.hooks, at, at+1)
	return ok(nil)
}

// getAccess tells what the integration may do, which in the sandbox is all.
func getAccess(*call) (reply, error) { return ok(object{"flags": "all"}) }

// limitAccess takes a smaller scope, which the sandbox does not enforce.
func limitAccess(c *call) (reply, error) {
	var in engine.Object
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	return ok(nil)
}
