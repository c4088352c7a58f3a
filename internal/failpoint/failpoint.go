// Package failpoint names points in the code at which a crash has another effect than a
// moment earlier or later, so that tests can end the process there. In a normal build
// it does nothing.
package failpoint

// Variable is the name of the environment variable that says what happens at which point
// and time, such as kill:answered:2, with commas between several. Only a build with the
// tag failpoint reads it.
const Variable = "CCPAYMENT_FAILPOINT"
