package service

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"ringo/internal/cmsg"
	"ringo/internal/kernel"
)

// Ready says that the program serves. It says nothing after Replaced, nor once STOPPING=1 was said, and while Reload is
// under way leaves it to that. Any goroutine may call it; a task parks.
func (m *Manager) Ready() error { return m.tell(context.Background(), "READY=1", m.isReady) }

// Reload calls fn, which rereads the program's configuration, and returns its error. The manager gets RELOADING=1
// before the call and READY=1 after it, whatever fn returns, even if it panics: otherwise it would take the unit to
// reload for ever. Of several calls at once the last to end says READY=1. After Replaced, and once STOPPING=1 was said,
// it gets neither. Messages that can't be sent are logged. Any goroutine may call it; a task parks, and fn runs in it.
func (m *Manager) Reload(fn func() error) error {
	m.count(1)
	m.inform(context.Background(), reloading(), m.serves)
	defer func() {
		m.count(-1)
		if err := m.Ready(); err != nil {
			m.log.Warn(untold, "error", err)
		}
	}()
	return fn()
}

func (m *Manager) count(reloads int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reloads += reloads
}

// serves reports whether this process is the service, and stays so for now.
func (m *Manager) serves() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.replaced && !m.stopping
}

// isReady reports whether there is nothing that this process is at, instead of being ready.
func (m *Manager) isReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.replaced && !m.stopping && m.reloads == 0
}

// reloading is the state with its moment by the manager's clock, both in one message.
func reloading() string {
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", kernel.Monotonic()/1000)
}

// Stopping says that the program begins to end. It is for programs that do so before the watched Run drains, which says
// so too: the manager gets the message once. Any goroutine may call it; a task parks.
func (m *Manager) Stopping() error {
	m.mu.Lock()
	may := m.mayStop()
	m.mu.Unlock()
	if !may {
		return nil
	}
	return m.Notify("STOPPING=1")
}

// Status says in a line what the program does; systemctl status shows it. Any goroutine may call it; a task parks.
func (m *Manager) Status(text string) error { return m.Notify("STATUS=" + text) }

// Extend asks the manager for d more, from now on, for a start, a reload or an end that takes longer than the manager
// would wait. Any goroutine may call it; a task parks.
func (m *Manager) Extend(d time.Duration) error { return m.Notify(extend(d)) }

func extend(d time.Duration) string { return fmt.Sprint("EXTEND_TIMEOUT_USEC=", d.Microseconds()) }

// Replaced says that another process, which serves already, is the program from now on. This process sends no more
// pings, and does not say that it stops. Package upgrade calls it. Any goroutine may call it; a task parks.
func (m *Manager) Replaced(pid int) error {
	m.mu.Lock()
	m.replaced = true
	m.mu.Unlock()
	text := fmt.Sprintf("MAINPID=%d\nREADY=1", pid)
	if m.every > 0 {
		text += "\n" + alive // its own pings count from this message on, and the next may be half of the time away
	}
	return m.tell(context.Background(), text, always)
}

// alive is a ping.
const alive = "WATCHDOG=1"

// Notify sends assignments in one message, such as "ERRNO=2", for what no other method says: see sd_notify(3). An error
// says what is wrong with an assignment, or why the message could not be sent. Any goroutine may call it; a task parks.
func (m *Manager) Notify(assignments ...string) error {
	for _, a := range assignments {
		if name, _, ok := strings.Cut(a, "="); !ok || name == "" || strings.ContainsAny(a, "\n\x00") {
			return fmt.Errorf("service: %q: want NAME=VALUE, in one line", a)
		}
	}
	return m.tell(context.Background(), strings.Join(assignments, "\n"), always)
}

// inform is tell for messages that no call has sent.
func (m *Manager) inform(ctx context.Context, text string, may func() bool) {
	if err := m.tell(ctx, text, may); err != nil && ctx.Err() == nil {
		m.log.Warn(untold, "error", err)
	}
}

const untold = "service: the manager can't be told"

// tell sends a message, if there is who wants it, unless ctx ends. may says whether it still holds when it is its turn.
func (m *Manager) tell(ctx context.Context, text string, may func() bool) error {
	if m.to == "" {
		return nil
	}
	return onGoroutine(ctx, func(ctx context.Context) error { return m.send(ctx, text, nil, may) })
}

func always() bool { return true }

// sendWithin is how long a message waits for a manager whose queue is full.
const sendWithin = 5 * time.Second

// send sends a message, and with it descriptors, unless ctx ends, or it may not.
func (m *Manager) send(ctx context.Context, text string, fds []int32, may func() bool) error {
	m.sending.Lock()
	defer m.sending.Unlock()
	if !may() {
		return nil
	}
	err := func() error {
		// With an address of the kernel's choice: package net passes no descriptors from a socket that is connected.
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetWriteDeadline(time.Now().Add(sendWithin))
		defer context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })()
		var rights []byte
		if len(fds) > 0 {
			rights = cmsg.AppendRights(nil, fds)
		}
		_, _, err = c.WriteMsgUnix([]byte(text), rights, &net.UnixAddr{Name: m.to, Net: "unixgram"})
		return err
	}()
	if err != nil {
		what, _, _ := strings.Cut(text, "\n")
		return fmt.Errorf("service: %s to NOTIFY_SOCKET %s: %w", what, m.to, err)
	}
	return nil
}
