//go:build windows

package sys

import "sync"

// Exhaust has the process run out of descriptors until undo, for tests: it has no limit that could be lowered.
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
