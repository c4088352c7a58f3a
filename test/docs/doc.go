// Package docs checks what SECURITY.md and docs/reliability.md say of tests: that each
// test which they name is there, and that what they count is counted right.
package docs
