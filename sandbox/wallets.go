package sandbox

import "slices"

// wallet reads a required userId of a user. The merchant's own account is not
// one of them.
func (c *call) wallet(name string) string {
	user := c.user(name)
	if user == c.s.opts.AppID {
		c.reject(codeInvalid, "%s: the app id is the merchant's own account", name)
	}
	return user
}

// account reads the userId of one side of a transfer: a user, or the app id
// for the merchant.
func (c *call) account(name string, required bool) string {
	if c.optionalText(name) == c.s.opts.AppID {
		return c.s.opts.AppID
	}
	if required {
		return c.user(name)
	}
	return c.optionalUser(name)
}

// optionalText is a parameter if it is a text, and "" if it is anything else.
// It breaks no rule.
func (p *params) optionalText(name string) string {
	quiet := params{fields: p.fields, asked: p.asked}
	return quiet.optional(name, 1<<20)
}

// knows reports whether there is such a user: one that has, or had, a deposit
// address or a balance. Others answer 11015, so that a slip in a user id does
// not send money where nobody looks.
func (c *call) knows(users ...string) error {
	for _, user := range users {
		if user == c.s.opts.AppID || len(c.st.balances[user]) > 0 {
			continue
		}
		known := slices.ContainsFunc(chains, func(on chain) bool {
			return c.st.addresses.byOwner[owner{userID: user, family: on.family}] != nil
		})
		if !known {
			return refuse(codeUserUnknown,
				"no user is called %q; users begin with a deposit address (getOrCreateUserDepositAddress)", user)
		}
	}
	return nil
}

// userBalances serves getUserCoinAssetList.
func userBalances(c *call) (any, error) {
	user := c.account("userId", true)
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.knows(user); err != nil {
		return nil, err
	}
	return object{"userId": user, "assets": c.assets(user)}, nil
}

// userBalance serves getUserCoinAsset.
func userBalance(c *call) (any, error) {
	user, of := c.account("userId", true), c.coin("coinId")
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.knows(user); err != nil {
		return nil, err
	}
	return object{"userId": user, "asset": c.asset(user, of)}, nil
}

// userAddress serves getOrCreateUserDepositAddress.
func userAddress(c *call) (any, error) {
	who := owner{userID: c.wallet("userId")}
	on, notifyURL := c.chain("chain"), c.link("notifyUrl")
	if err := c.broken(); err != nil {
		return nil, err
	}
	return c.giveAddress(on, who, notifyURL)
}

// userDeposit serves getUserDepositRecord.
func userDeposit(c *call) (any, error) {
	id := c.text("recordId", 64)
	if err := c.broken(); err != nil {
		return nil, err
	}
	d := c.st.byRecord[id]
	if d == nil || d.kind != kindUser {
		return nil, refuse(codeNotFound, "recordId: no user has a deposit with the record id %q", id)
	}
	return object{"record": d.record()}, nil
}

// userDeposits serves getUserDepositRecordList.
func userDeposits(c *call) (any, error) {
	user, of, on, during := c.wallet("userId"), c.optionalCoin("coinId"), c.optionalChain("chain"), c.span()
	to := c.optional("toAddress", 128)
	if err := c.broken(); err != nil {
		return nil, err
	}
	if err := c.knows(user); err != nil {
		return nil, err
	}
	return page(c, newest(c.st.deposits, func(d *deposit) bool {
		return d.kind == kindUser && d.user == user && d.matches(of, on, during) && d.wentTo(to)
	}), (*deposit).id, (*deposit).record)
}
