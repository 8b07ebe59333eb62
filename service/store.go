package service

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ringo/internal/cmsg"
	"ringo/internal/kernel"
)

// Store makes the manager keep descriptors under a name until the unit stops: a listening socket, a connection, memory
// that holds a state. The program's next start gets them from sock.Activated, each with that name, which several may
// share. The manager drops a descriptor whose other side hangs up: see StoreUnpolled. The caller's own descriptors stay
// open, and can be closed. Any goroutine may call it; a task parks.
//
// The unit must have FileDescriptorStoreMax=. The manager silently drops descriptors beyond that number. Since systemd
// 254 it tells the program the number, and Store fails if one call has more. A name has 1 to 255 printable characters
// of ASCII, and no colon. Without a manager nothing is kept.
func (m *Manager) Store(name string, of ...syscall.Conn) error { return m.store(name, "", of) }

// StoreUnpolled is like Store, but the manager also keeps descriptors that hang up. Any goroutine may call it; a task
// parks.
func (m *Manager) StoreUnpolled(name string, of ...syscall.Conn) error {
	return m.store(name, "\nFDPOLL=0", of)
}

// Unstore makes the manager close all descriptors that it keeps under a name. Any goroutine may call it; a task parks.
func (m *Manager) Unstore(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return m.tell(context.Background(), "FDSTOREREMOVE=1\nFDNAME="+name, always)
}

// store sends the descriptors, in as many messages as it takes.
func (m *Manager) store(name, how string, of []syscall.Conn) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkRoom(len(of)); err != nil {
		return err
	}
	if m.to == "" {
		return nil
	}
	return onGoroutine(context.Background(), func(ctx context.Context) error {
		for part := range slices.Chunk(of, cmsg.RightsMax) {
			if err := m.storePart(ctx, "FDSTORE=1\nFDNAME="+name+how, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// storePart sends as many descriptors as one message has room for. It duplicates them, so that the program can't close
// them meanwhile.
func (m *Manager) storePart(ctx context.Context, text string, of []syscall.Conn) error {
	var fds []int32
	defer func() {
		for _, fd := range fds {
			kernel.Host{}.Close(fd)
		}
	}()
	for i, c := range of {
		fd, err := kernel.Duplicate(c)
		if err != nil {
			return fmt.Errorf("service: Store: descriptor %d: %w", i, err)
		}
		fds = append(fds, fd)
	}
	return m.send(ctx, text, fds, always)
}

// nameMax is the longest name, in bytes.
const nameMax = 255

// checkName returns an error unless name is valid. It decides as fdname_is_valid does in systemd's src/basic/fd-util.c.
func checkName(name string) error {
	bad := func(c rune) bool { return c < ' ' || c >= 0x7f || c == ':' }
	if name == "" || len(name) > nameMax || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("service: the name %q of descriptors: want 1 to %d printable characters of ASCII, and no "+
			"colon", name, nameMax)
	}
	return nil
}

// checkRoom returns an error for descriptors that the manager would silently drop, if FDSTORE says how many it keeps.
func checkRoom(n int) error {
	room, err := strconv.Atoi(os.Getenv("FDSTORE"))
	if err == nil && n > room {
		return fmt.Errorf("service: Store of %d descriptors: the manager keeps %d at most (FileDescriptorStoreMax=)", n,
			room)
	}
	return nil
}
