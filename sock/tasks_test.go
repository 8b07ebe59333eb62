package sock_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// taskNamed waits until the task of a name is parked, and gives what is told of it. The caller is a task of me, or me
// is nil.
func taskNamed(t *testing.T, me, l *ringo.Loop, name string) (found ringo.TaskInfo) {
	t.Helper()
	eventuallyOn(t, me, name+" to be parked", func() bool {
		for _, i := range l.Tasks() {
			if i.Name == name && i.State == "parked" {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

// A task that waits at a connection says with whom, by which descriptor, for what and until when; and so do those that
// wait behind it.
func TestTaskWaitsAtConn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			at := time.Now().Add(time.Hour)
			c.SetReadDeadline(at)
			reader := l.GoNamed("reader", func() { read(c) })
			behind := l.GoNamed("behind", func() { read(c) })
			writer := l.GoNamed("writer", func() {
				for write(c) == nil {
					if _, err := c.Write(make([]byte, 1<<20)); err != nil {
						return
					}
				}
			})
			for name, want := range map[string]string{
				"reader": "read", "behind": "read, behind another caller", "writer": "write",
			} {
				i := taskNamed(t, l, l, name)
				op := strings.Split(want, ",")[0]
				if i.WaitOp != op || i.FD < 0 || i.Peer != peer.LocalAddr().String() || i.HolderLoop != -1 ||
					!strings.HasPrefix(i.Wait, op) || !strings.Contains(i.Wait, strings.TrimPrefix(want, op)) ||
					!strings.Contains(i.Wait, fmt.Sprintf("fd %d, peer %s", i.FD, i.Peer)) {
					t.Errorf("what waits to %s is %+v", want, i)
				}
				d := i.Until.Sub(at)
				if i.Until.IsZero() != (name == "writer") || name != "writer" && d.Abs() > time.Minute {
					t.Errorf("%s waits until %v, want %v", name, i.Until, at)
				}
			}
			c.Close()
			for _, task := range []*ringo.Task{reader, behind, writer} {
				task.Wait()
			}
		})
	})
}

// A task that waits at another loop's connection says so.
func TestTaskWaitsAtOtherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		conns := make(chan *sock.Conn)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			conns <- c // a goroutine takes it at once
			c.Loop().Draining().Recv()
		}))
		peer := s.dial()
		defer peer.Close()
		c := <-conns
		other := otherLoop(s, c.Loop())
		reader := other.GoNamed("reader", func() { read(c) })
		i := taskNamed(t, nil, other, "reader")
		if i.WaitOp != "read" || i.Peer != peer.LocalAddr().String() || i.HolderLoop != c.Loop().Index() || i.FD != -1 {
			t.Errorf("what reads from loop %d is %+v", c.Loop().Index(), i)
		}
		c.Close()
		reader.Wait()
		s.stop()
	})
}

// A listener's task says that it accepts, and connections are known by the function that serves them.
func TestTasksOfServers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		h := &sock.Handler{Request: waitsForMore}
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error { return sock.Serve(l, ln, h) })
		peer := s.dial()
		defer peer.Close()
		send(t, peer, "x")
		l := s.loops[0]
		want := map[string]string{"ringo/sock_test.waitsForMore": "read", "ringo/sock_test.serve.func1.1": "accept"}
		found := map[string]ringo.TaskInfo{}
		eventually(t, "both to be parked", func() bool {
			for _, i := range l.Tasks() {
				if i.State == "parked" {
					found[i.WaitOp] = i
				}
			}
			return len(found) == len(want)
		})
		if i := found["read"]; i.Name != "ringo/sock_test.waitsForMore" || i.Peer != peer.LocalAddr().String() ||
			!strings.Contains(i.At, "info_test.go:") {
			t.Errorf("a Request is %+v", i)
		}
		if i := found["accept"]; i.FD < 0 || i.Peer != "" {
			t.Errorf("what accepts is %+v", i)
		}
		peer.Close()
		s.stop()
	})
}

// waitsForMore is a Request that waits for what its peer does not send.
func waitsForMore(c *sock.Conn) error {
	c.Discard(1)
	_, err := c.Read(make([]byte, 1))
	return err
}
