package ledgertest

// sharedCases are for stores that several processes share.
var sharedCases = []testCase{}
