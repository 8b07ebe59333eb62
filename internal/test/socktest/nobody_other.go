//go:build !linux

package socktest

import "testing"

// Refusing and Silent need what Linux does with a bound socket and a full backlog.
func Refusing(t testing.TB) string {
	t.Skip("peers that refuse, or are silent, are made on Linux alone")
	return ""
}
func Silent(t testing.TB) string { return Refusing(t) }

// Lockable does not say why memory can't be locked where no ring sends it.
func Lockable([]byte) error { return nil }
