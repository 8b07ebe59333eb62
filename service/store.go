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

// Store makes the manager keep descriptors under a name, until the unit stops: a listening socket, a connection, the
// memory of a state. The program's next start gets them from sock.Activated, each with that name, which several may
// share. The manager drops one whose other side hangs up: see StoreUnpolled. The caller's own descriptors stay open,
// and can be closed. Any goroutine may call it; a task parks.
//
// The unit must have FileDescriptorStoreMax=. The manager silently drops descriptors beyond that number; since systemd
// 254 it tells the program that number, and more in one call are an error here. A name has no colon, and at most 255
// characters of ASCII. Without a manager nothing is kept.
func (m *Manager) Store(name string, of ...syscall.Conn) error { return m.store(name, "", of) }

// StoreUnpolled is Store, but the manager keeps descriptors that hang up, too. Any goroutine may call it; a task parks.
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

// store sends as many messages as it takes.
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

// storePart sends what one message has room for, by descriptors of its own: nobody closes them meanwhile.
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

// nameMax bounds the name of what is kept.
const nameMax = 255

// checkName is fdname_is_valid of systemd's src/basic/fd-util.c.
func checkName(name string) error {
	bad := func(c rune) bool { return c < ' ' || c >= 0x7f || c == ':' }
	if name == "" || len(name) > nameMax || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("service: the name %q of descriptors: want 1 to %d printable characters of ASCII, and no "+
			"colon", name, nameMax)
	}
	return nil
}

// checkRoom finds what the manager would drop without a word, if it says how much it keeps.
func checkRoom(n int) error {
	room, err := strconv.Atoi(os.Getenv("FDSTORE"))
	if err == nil && n > room {
		return fmt.Errorf("service: Store of %d descriptors: the manager keeps %d at most (FileDescriptorStoreMax=)", n,
			room)
	}
	return nil
}
