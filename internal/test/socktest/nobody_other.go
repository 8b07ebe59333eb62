//go:build !linux

package socktest

import "testing"

// Refusing and Silent depend on what Linux does with a bound socket and with a full backlog.
func Refusing(t testing.TB) string {
	t.Skip("peers that refuse, or are silent, are made on Linux alone")
	return ""
}
func Silent(t testing.TB) string { return Refusing(t) }

// Lockable returns nil: without a ring no send locks memory.
func Lockable([]byte) error { return nil }
