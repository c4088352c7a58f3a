package postgres

// statementsIn returns the statements for a schema.
func statementsIn(schema string) *statements {
	all := statements{
		write: writeSQL, holders: holdersSQL, claim: claimSQL, leased: leasedSQL, unlock: unlockSQL, owns: ownsSQL,
		readRecord: readRecordSQL, readEvent: readEventSQL, readBody: bodySQL, load: loadSQL,
		readOrders: readOrdersSQL, versions: versionsSQL, takenSome: takenSomeSQL, orderOf: orderOfSQL, ending: endingSQL, orders: ordersSQL, find: findSQL, list: listSQL, due: dueSQL,
		counts: countsSQL, compact: compactSQL, prune: pruneSQL, kind: kindSQL, kinds: kindsSQL, listAside: listAsideSQL, listRecords: listRecordsSQL,
		keep: keepSQL, near: nearSQL, boot: bootSQL, others: othersSQL, endSession: endSessionSQL, tidy: tidySQL,
		take: takeSQL, taken: takenSQL, renew: renewSQL, left: leftSQL, drain: drainSQL, spend: spendSQL, budget: budgetSQL, look: lookSQL, saveLook: saveLookSQL, answers: answersSQL,
	}
	for _, sql := range []*string{
		&all.write, &all.holders, &all.claim, &all.leased, &all.unlock, &all.owns,
		&all.readRecord, &all.readEvent, &all.readBody, &all.load,
		&all.readOrders, &all.versions, &all.takenSome, &all.orderOf, &all.ending, &all.orders, &all.find, &all.list, &all.due,
		&all.counts, &all.compact, &all.prune, &all.kind, &all.kinds, &all.listAside, &all.listRecords,
		&all.keep, &all.near, &all.boot, &all.others, &all.endSession, &all.tidy,
		&all.take, &all.taken, &all.renew, &all.left, &all.drain, &all.spend, &all.budget, &all.look, &all.saveLook, &all.answers,
	} {
		*sql = in(schema, *sql)
	}
	return &all
}
