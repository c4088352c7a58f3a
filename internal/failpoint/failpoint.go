// Package failpoint names the places in the code at which a crash differs from
// one a moment earlier or later. The tests of crashes end the process there. In
// a normal build nothing of it remains.
package failpoint

// Variable names the environment variable that says what happens where, such as
// kill:answered:2. Only a build with the tag failpoint reads it.
const Variable = "CCPAYMENT_FAILPOINT"
