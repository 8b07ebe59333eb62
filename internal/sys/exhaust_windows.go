//go:build windows

package sys

import "sync"

// Exhaust makes the process run out of descriptors until undo is called, for tests: there is no limit to lower.
func Exhaust() (undo func()) {
	table.Lock()
	defer table.Unlock()
	free, next := table.free, table.next
	table.free, table.next = nil, filesMax
	return sync.OnceFunc(func() {
		table.Lock()
		defer table.Unlock()
		table.free, table.next = append(table.free, free...), next
	})
}
