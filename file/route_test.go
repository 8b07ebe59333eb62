package file

import (
	"encoding/binary"
	"testing"

	"ringo/internal/op"
)

// Who runs an operation: the table of route, row by row.
func TestRoute(t *testing.T) {
	const (
		here  = int64(-1) // at the position
		there = int64(4096)
		disk  = typeKnown | ours
	)
	for _, c := range []struct {
		name  string
		kind  kind
		size  int
		off   int64
		by    caller
		known facts
		want  runner
	}{
		{"a task's read", reads, 4096, there, task, disk, nowait},
		{"a task's read, not in memory", reads, 4096, there, task, disk | cold, ring},
		{"a task's read at the position", reads, 4096, here, task, disk, nowait},
		{"a task's read at the position, not in memory", reads, 4096, here, task, disk | cold, ring},
		{"the same of a file from elsewhere", reads, 4096, here, task, typeKnown | cold, worker},
		{"a task's read past the page cache", reads, 4096, there, task, disk | bypassCache, ring},
		{"a task's large read", reads, 64 << 20, there, task, disk, nowait},
		{"a task's first read that nowait refuses", reads, 4096, there, task, ours | noNowRead | cold, ask},
		{"a task's read of tmpfs", reads, 4096, there, task, disk | noNowRead | inMemory, plain},
		{"a task's read of tmpfs at the position", reads, 4096, here, task, disk | noNowRead | inMemory, plain},
		{"a task's large read of tmpfs", reads, turnMax + 1, there, task, disk | noNowRead | inMemory, ring},
		{"a task's read of overlayfs", reads, 4096, there, task, disk | noNowRead | overlaid, ring},
		{"the same, in memory", reads, 4096, there, task, disk | noNowRead | overlaid | resident, plain},
		{"a task's read of FUSE", reads, 4096, there, task, disk | noNowRead | isFUSE, worker},
		{"a task's read of FUSE, past its page cache", reads, 4096, there, task, disk | bypassCache | isFUSE, worker},
		{"a task's read of a device", reads, 4096, there, task, disk | special, worker},
		{"a task's read of a device at the position", reads, 4096, here, task, disk | special, ring},
		{"a task's read of a device in /dev", reads, 4096, there, task, disk | special | inMemory | noNowRead, worker},
		{"a task's read of /proc", reads, 4096, there, task, disk | pseudo | noNowRead, worker},
		{"a task's write to /proc at the position", writes, 4096, here, task, disk | pseudo | noNowWrite, ring},
		{"a task's read of a disk in /dev", reads, 4096, there, task, disk | inMemory | cold, ring},
		{"a task's read past the page cache at the position", reads, 4096, here, task, disk | bypassCache, ring},
		{"a task's read of a pipe at an offset", reads, 4096, there, task, special | pollable, plain},

		{"a goroutine's read", reads, 4096, there, goroutine, disk, nowait},
		{"a goroutine's read, not in memory", reads, 4096, there, goroutine, disk | cold, host},
		{"the same, before the file system was asked", reads, 4096, there, goroutine, ours | cold, ask},
		{"a goroutine's read after many in memory", reads, 4096, there, goroutine, disk | warm, plain},
		{"a goroutine's read at the position", reads, 4096, here, goroutine, disk, plain},
		{"a goroutine's read without rings", reads, 4096, there, goroutine, disk | noRings, plain},
		{"a goroutine's read past the page cache", reads, 4096, there, goroutine, disk | bypassCache, host},
		{"a goroutine's read past it at the position", reads, 4096, here, goroutine, disk | bypassCache, plain},
		{"a goroutine's read that nowait refuses", reads, 4096, there, goroutine, disk | noNowRead, plain},
		{"a goroutine's read of /proc", reads, 4096, there, goroutine, disk | pseudo | cold, plain},
		{"a goroutine's read of FUSE past it", reads, 4096, there, goroutine, disk | bypassCache | isFUSE, plain},

		{"a task's write", writes, 4096, there, task, disk, nowait},
		{"a task's write, without room in memory", writes, 4096, there, task, disk | cold, ring},
		{"a task's larger write", writes, nowWriteMax + 1, there, task, disk, ring},
		{"a task's write that nowait refuses", writes, 4096, there, task, disk | noNowWrite, ring},
		{"a task's write to tmpfs", writes, 4096, there, task, disk | noNowWrite | inMemory, plain},
		{"a task's write at the position", writes, nowWriteMax + 1, here, task, disk, ring},
		{"a task's append", writes, 4096, here, task, disk | appendOnly, ring},
		{"a task's append to tmpfs", writes, 4096, here, task, disk | appendOnly | inMemory, plain},
		{"a task's append past the page cache", writes, 4096, here, task, disk | appendOnly | bypassCache, worker},
		{"a task's append to a file from elsewhere", writes, 4096, here, task, typeKnown | appendOnly, worker},
		{"a task's read of a file to append", reads, 4096, there, task, disk | appendOnly, nowait},
		{"a task's write of nothing", writes, 0, here, task, disk, worker},
		{"a task's write of nothing to a device", writes, 0, here, task, disk | special, worker},
		{"a task's write of nothing to a pipe", writes, 0, here, task, special | pollable, plain},
		{"a goroutine's write of nothing", writes, 0, here, goroutine, disk, plain},
		{"a goroutine's write", writes, 4096, there, goroutine, disk, plain},
		{"a goroutine's write past the page cache", writes, 4096, there, goroutine, disk | bypassCache, host},
		{"a goroutine's write, before the file system was asked", writes, 4096, there, goroutine, ours, plain},
		{"a goroutine's append", writes, 4096, here, goroutine, disk | appendOnly, plain},

		{"a task's Stat", meta, 0, 0, task, 0, nowait},
		{"a task's Sync", meta, 0, 0, task, cold, ring},
		{"a task's open", meta, 0, 0, task, cold | offloaded, worker},
		{"a goroutine's Sync", meta, 0, 0, goroutine, 0, plain},
	} {
		if got := route(c.kind, c.size, c.off, c.by, c.known); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// What no route may be, whatever is known.
func TestRouteNever(t *testing.T) {
	bad := map[string]int{}
	for known := facts(0); known < offloaded<<1; known++ {
		for _, k := range []kind{reads, writes, meta} {
			for _, size := range []int{0, 1, nowWriteMax + 1, turnMax + 1} {
				for _, off := range []int64{-1, 0} {
					for _, by := range []caller{goroutine, task} {
						if what := mistake(k, size, off, by, known, route(k, size, off, by, known)); what != "" {
							bad[what]++
						}
					}
				}
			}
		}
	}
	for what, n := range bad {
		t.Errorf("%s: %d times", what, n)
	}
}

// mistake is what is wrong with a route, if anything is.
func mistake(k kind, size int, off int64, by caller, known facts, to runner) string {
	has := func(what facts) bool { return known&what != 0 }
	moves := k != meta
	switch {
	case by == goroutine && (to == ring || to == worker):
		return "a goroutine's call goes to a loop"
	case by == task && to == host:
		return "a task's call goes to the rings of goroutines"
	case moves && off >= 0 && has(pseudo|special) && (to == ring || to == host):
		return "a ring drops the offset that the file does not take"
	case by == task && to == plain && !has(inMemory|resident|pollable):
		return "a task's call may wait on the loop's thread"
	case by == task && to == plain && has(special) && !has(resident|pollable):
		return "a device holds up a loop"
	case by == task && to == plain && !has(resident|pollable) && size > turnMax:
		return "a task's call copies too much on the loop's thread"
	case to == ask && has(typeKnown):
		return "what has been asked is asked again"
	case to == nowait && has(cold):
		return "what has been tried is tried again"
	case moves && to == nowait && has(bypassCache):
		return "what bypasses the page cache is looked for there"
	case k == writes && size == 0 && (to == nowait || by == task && to == ring):
		return "a file does not hear of a write of nothing"
	case k == writes && off < 0 && has(appendOnly) && to == nowait:
		return "an append may be torn"
	case moves && off < 0 && to == ring && !has(ours):
		return "a ring is given a position that others move"
	case off < 0 && to == host:
		return "a ring of goroutines is given a position"
	case moves && has(isFUSE) && has(typeKnown) && (to == ring || to == host):
		return "a process that answers late holds up a ring"
	}
	return ""
}

// How much one call moves.
func TestPieceOf(t *testing.T) {
	const at, end = int64(4096), int64(-1)
	for _, c := range []struct {
		name  string
		kind  kind
		off   int64
		by    caller
		known facts
		want  int
	}{
		{"a goroutine's", reads, at, goroutine, ours, pieceMax},
		{"a task's read", reads, at, task, ours, turnMax},
		{"a task's read at the position", reads, end, task, ours, turnMax},
		{"the same of a file from elsewhere", reads, end, task, 0, pieceMax},
		{"a task's read past the page cache", reads, at, task, ours | bypassCache, directMax},
		{"a task's write", writes, at, task, ours, turnMax},
		{"a task's append", writes, end, task, ours | appendOnly, pieceMax},
		{"a task's read of a file to append", reads, end, task, ours | appendOnly, turnMax},
	} {
		if got := pieceOf(c.kind, c.off, c.by, c.known); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Worlds of a process share what is reused: a call whose task a crash has ended is under way until its driver is
// closed.
func TestCallUnderWayIsNotReused(t *testing.T) {
	c := newCall(op.Sync, 3)
	c.parked = true
	c.free()
	for range 100 {
		if newCall(op.Sync, 3) == c {
			t.Fatal("the call is another's while its op is under way")
		}
	}
}

// rawEntry is an entry as the kernel writes it.
func rawEntry(sort byte, name string) []byte {
	n := (entryNameAt + len(name) + 1 + 7) &^ 7
	b := make([]byte, n)
	binary.NativeEndian.PutUint16(b[entryLenAt:], uint16(n))
	b[entryTypeAt] = sort
	copy(b[entryNameAt:], name)
	return b
}

func TestNextEntry(t *testing.T) {
	all := append(append(rawEntry(4, ".."), rawEntry(8, "seven67")...), rawEntry(0, "")...)
	for _, want := range []struct {
		name    string
		sort    byte
		useless bool
	}{{"..", 4, true}, {"seven67", 8, false}, {"", 0, true}} {
		name, sort, rest, ok := nextEntry(all)
		if !ok || string(name) != want.name || sort != want.sort || isNoEntry(name) != want.useless {
			t.Errorf("entry %q, %d, %v, want %+v", name, sort, ok, want)
		}
		all = rest
	}
	if len(all) != 0 {
		t.Errorf("%d bytes are left", len(all))
	}
	full := rawEntry(8, "name")
	for n := range full {
		if _, _, _, ok := nextEntry(full[:n]); ok {
			t.Errorf("%d bytes of %d pass for an entry", n, len(full))
		}
	}
}

// FuzzNextEntry: whatever a file system gives, the parser goes on or stops, within it.
func FuzzNextEntry(f *testing.F) {
	f.Add(rawEntry(4, "dir"))
	f.Add(append(rawEntry(8, "a"), rawEntry(10, "link")...))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			name, _, rest, ok := nextEntry(b)
			if !ok {
				return
			}
			if len(rest) >= len(b) || len(name) > len(b)-len(rest)-entryNameAt {
				t.Fatalf("an entry of %d bytes has a name of %d", len(b)-len(rest), len(name))
			}
			for _, c := range name {
				if c == 0 {
					t.Fatalf("a NUL in %q", name)
				}
			}
			b = rest
		}
	})
}
