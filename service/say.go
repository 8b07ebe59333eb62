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

// Ready tells the manager that the program serves. It sends nothing after Replaced, once STOPPING=1 was sent, or while
// Reload is under way, which sends READY=1 at its end. Any goroutine may call it; a task parks.
func (m *Manager) Ready() error { return m.tell(context.Background(), "READY=1", m.isReady) }

// Reload calls fn, which rereads the program's configuration, and returns the error of fn. It sends RELOADING=1 before
// the call and READY=1 after it, whatever fn returns, even if it panics: otherwise the manager would believe that the
// unit reloads for ever. Of several calls at once the last to end sends READY=1. After Replaced, and once STOPPING=1
// was sent, Reload sends neither. Messages that can't be sent are logged. Any goroutine may call it; a task parks, and
// fn runs in it.
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

// serves reports whether this process is still the service: it was not replaced, and is not stopping.
func (m *Manager) serves() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.replaced && !m.stopping
}

// isReady reports whether READY=1 is true: this process serves, and no Reload is under way.
func (m *Manager) isReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.replaced && !m.stopping && m.reloads == 0
}

// reloading returns the message that a reload begins. The manager wants the time by its own clock in the same message.
func reloading() string {
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", kernel.Monotonic()/1000)
}

// Stopping tells the manager that the program begins to end. Call it if the program does so before the watched Run
// drains. The drain sends the message as well; the manager gets it once. Any goroutine may call it; a task parks.
func (m *Manager) Stopping() error {
	m.mu.Lock()
	may := m.mayStop()
	m.mu.Unlock()
	if !may {
		return nil
	}
	return m.Notify("STOPPING=1")
}

// Status tells the manager in one line what the program does; systemctl status shows it. Any goroutine may call it; a
// task parks.
func (m *Manager) Status(text string) error { return m.Notify("STATUS=" + text) }

// Extend asks the manager for d more time, from now on, for a start, a reload or an end that takes longer than the
// manager would wait. Any goroutine may call it; a task parks.
func (m *Manager) Extend(d time.Duration) error { return m.Notify(extend(d)) }

func extend(d time.Duration) string { return fmt.Sprint("EXTEND_TIMEOUT_USEC=", d.Microseconds()) }

// Replaced tells the manager that the process pid, which serves already, is the program from now on. This process then
// sends no more pings, and does not announce its end. Package upgrade calls it. Any goroutine may call it; a task
// parks.
func (m *Manager) Replaced(pid int) error {
	m.mu.Lock()
	m.replaced = true
	m.mu.Unlock()
	text := fmt.Sprintf("MAINPID=%d\nREADY=1", pid)
	if m.every > 0 {
		text += "\n" + alive // the other process's pings count from now on, and its next one may be m.every away
	}
	return m.tell(context.Background(), text, always)
}

// alive is a ping.
const alive = "WATCHDOG=1"

// Notify sends assignments in one message, such as "ERRNO=2", for what no other method covers: see sd_notify(3). An
// error says what is wrong with an assignment, or why the message could not be sent. Any goroutine may call it; a task
// parks.
func (m *Manager) Notify(assignments ...string) error {
	for _, a := range assignments {
		if name, _, ok := strings.Cut(a, "="); !ok || name == "" || strings.ContainsAny(a, "\n\x00") {
			return fmt.Errorf("service: %q: want NAME=VALUE, in one line", a)
		}
	}
	return m.tell(context.Background(), strings.Join(assignments, "\n"), always)
}

// inform is tell for messages that the Manager sends by itself: it logs errors.
func (m *Manager) inform(ctx context.Context, text string, may func() bool) {
	if err := m.tell(ctx, text, may); err != nil && ctx.Err() == nil {
		m.log.Warn(untold, "error", err)
	}
}

const untold = "service: the manager can't be told"

// tell sends a message if there is a manager, unless ctx ends. When it is the message's turn, tell calls may, and drops
// the message if that returns false.
func (m *Manager) tell(ctx context.Context, text string, may func() bool) error {
	if m.to == "" {
		return nil
	}
	return onGoroutine(ctx, func(ctx context.Context) error { return m.send(ctx, text, nil, may) })
}

func always() bool { return true }

// sendWithin is how long a message waits for a manager whose queue is full.
const sendWithin = 5 * time.Second

// send sends a message, together with descriptors, unless ctx ends or may returns false.
func (m *Manager) send(ctx context.Context, text string, fds []int32, may func() bool) error {
	m.sending.Lock()
	defer m.sending.Unlock()
	if !may() {
		return nil
	}
	err := func() error {
		// The socket has an address of the kernel's choice and is not connected: package net sends no control message
		// to an address from a connected socket.
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
