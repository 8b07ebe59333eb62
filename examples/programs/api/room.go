package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"ringo"
	"ringo/sock"
)

const (
	behind  = 64       // lines that a member may be behind, before it is dropped
	lineMax = 16 << 10 // bytes
)

// room is a chat. Its members are on all loops. mu is held for a few lines only and never during a wait, so tasks may
// lock it.
type room struct {
	mu      sync.Mutex
	members map[*member]bool
	over    bool
}

// member is a client that gets what is said.
type member struct {
	lines *ringo.Chan[string] // closed when the member has to leave
	cut   func()              // ends a wait for the peer; it does not wait itself
}

func newRoom() *room { return &room{members: map[*member]bool{}} }

// say sends a line to all members. It waits for none: members that are too far behind are dropped.
func (r *room) say(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := range r.members {
		if !m.lines.TrySend(line) {
			delete(r.members, m)
			m.lines.Close()
			m.cut()
		}
	}
}

// enter makes a member, which gets what is said from now on.
func (r *room) enter(cut func()) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &member{ringo.NewChan[string](behind), cut}
	if r.over {
		m.lines.Close()
	} else {
		r.members[m] = true
	}
	return m
}

func (r *room) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m] {
		delete(r.members, m)
		m.lines.Close()
	}
}

// close makes all members leave.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for m := range r.members {
		m.lines.Close()
	}
	clear(r.members)
}

// serveEvents streams what is said, for peers that only listen.
func (r *room) serveEvents(w http.ResponseWriter, req *http.Request) {
	out := http.NewResponseController(w)
	m := r.enter(func() { out.SetWriteDeadline(time.Unix(1, 0)) })
	defer r.leave(m)
	w.Header().Set("Content-Type", "text/event-stream")
	for out.Flush() == nil {
		line, err := m.lines.RecvContext(req.Context())
		if err != nil { // the peer has left or is too slow, or the program ends
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(line, "\n", "\ndata: ")); err != nil {
			return
		}
	}
}

// serveChat uses two tasks: this one reads from the peer, and another writes what is said. Both may write, since this
// one answers pings: each frame is one Write, and concurrent Writes do not mix.
func (r *room) serveChat(w http.ResponseWriter, req *http.Request) {
	nc, in, _, err := ws.UpgradeHTTP(req, w)
	if err != nil {
		return // UpgradeHTTP has answered with the error
	}
	c := nc.(*sock.Conn)
	m := r.enter(c.CloseSoon)
	teller := c.Loop().Go(func() { tell(c, m) })
	hear(c, in, r.say)
	r.leave(m)
	teller.Wait()
	c.Close()
}

// hear calls say with each message of the peer, until the peer leaves.
func hear(c net.Conn, in io.Reader, say func(string)) {
	control := wsutil.ControlFrameHandler(c, ws.StateServerSide)
	frames := &wsutil.Reader{Source: in, State: ws.StateServerSide, CheckUTF8: true, MaxFrameSize: lineMax,
		MaxMessageSize: lineMax, OnIntermediate: control}
	for {
		h, err := frames.NextFrame()
		if err != nil {
			return
		}
		if h.OpCode.IsControl() {
			if control(h, frames) != nil {
				return
			}
			continue
		}
		line, err := io.ReadAll(frames)
		if err != nil {
			return
		}
		say(string(line))
	}
}

// tell writes lines to a member until its channel is closed; then it says goodbye, for two seconds at most.
func tell(c *sock.Conn, m *member) {
	for {
		line, err := m.lines.Recv()
		if err != nil {
			break
		}
		if _, err := c.Write(ws.MustCompileFrame(ws.NewTextFrame([]byte(line)))); err != nil {
			return
		}
	}
	c.SetDeadline(time.Now().Add(2 * time.Second))
	c.Write(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, ""))))
	c.CloseWrite()
}
