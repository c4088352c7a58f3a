package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// maxAddresses bounds the permanent addresses, and apart from them those of
// users.
const maxAddresses = 1000

// address is where deposits arrive. At most one of order, referenceID and
// userID says whose it is.
type address struct {
	family      string
	text        string
	memo        string
	referenceID string
	userID      string
	order       *order
	notifyURL   string
	chains      []string // the chains that it was asked for on
	unbound     bool     // deposits are the merchant's now
	risky       bool     // flagged: deposits send no webhooks any more
}

// owner names whom a permanent address was made for, on which family.
type owner struct{ referenceID, userID, family string }

// addressBook finds addresses by their text and by their owner.
type addressBook struct {
	byText  map[string][]*address // several share one text where memos tell them apart
	byOwner map[owner]*address
	common  map[string]string // the one address of each family that has memos
	memos   int
	made    map[bool]int // how many permanent addresses there are; true: of users
}

func newAddressBook() addressBook {
	return addressBook{
		byText: map[string][]*address{}, byOwner: map[owner]*address{},
		common: map[string]string{}, made: map[bool]int{},
	}
}

// assign makes an address on a chain. Chains with memos have one address for
// the merchant, and a memo for each purpose.
func (b *addressBook) assign(c *chain) *address {
	a := &address{family: c.family, chains: []string{c.symbol}}
	if c.memo {
		if b.common[c.family] == "" {
			b.common[c.family] = engine.NewAddress(c.family)
		}
		b.memos++
		a.text, a.memo = b.common[c.family], strconv.Itoa(100_000+b.memos)
	} else {
		a.text = engine.NewAddress(c.family)
	}
	key := sameCase(a.text)
	b.byText[key] = append(b.byText[key], a)
	return a
}

// permanent returns the address that a reference or user has on a chain, or
// makes it. All EVM chains share one; over 1000 answers 15001.
func (b *addressBook) permanent(c *chain, who owner, notifyURL string) (*address, error) {
	who.family = c.family
	a := b.byOwner[who]
	if a == nil {
		ofUser := who.userID != ""
		if b.made[ofUser] >= maxAddresses {
			return nil, refuse(codeAddressesMax, "at most %d addresses for an app id", maxAddresses)
		}
		b.made[ofUser]++
		a = b.assign(c)
		a.referenceID, a.userID = who.referenceID, who.userID
		b.byOwner[who] = a
	}
	if !slices.Contains(a.chains, c.symbol) {
		a.chains = append(a.chains, c.symbol)
	}
	if notifyURL != "" {
		a.notifyURL = notifyURL
	}
	return a, nil
}

// find returns an address by its text, and by its memo where it has one; nil
// if the merchant has no such address.
func (b *addressBook) find(text, memo string) *address {
	list := b.byText[sameCase(text)]
	at := slices.IndexFunc(list, func(a *address) bool { return a.memo == memo })
	if at < 0 {
		return nil
	}
	return list[at]
}

// unbind takes an address from its owner, who gets another when asking next.
func (b *addressBook) unbind(a *address) {
	a.unbound = true
	delete(b.byOwner, owner{a.referenceID, a.userID, a.family})
}

// sameCase makes the spellings of one address equal. Only EVM addresses have
// several, for their capitals are a check sum and not part of the address.
func sameCase(text string) string {
	if strings.HasPrefix(text, "0x") {
		return strings.ToLower(text)
	}
	return text
}
