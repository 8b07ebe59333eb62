//go:build linux

package socktest

import (
	"errors"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/sock"
)

// handles are the types whose methods have rows, and the networks that they are of.
var handles = []struct {
	of     reflect.Type
	nets   []string
	rows   []*row
	events []*event
	listen bool
}{
	{of: reflect.TypeFor[*sock.Conn](), nets: []string{"tcp", "tcp-detached", "unix", "pipe", "unixpacket"},
		rows: connRows, events: events},
	{of: reflect.TypeFor[*sock.PacketConn](), nets: []string{"udp"}, rows: udpRows, events: events},
	{of: reflect.TypeFor[*sock.UnixPacketConn](), nets: []string{"unixgram"}, rows: unixgramRows, events: events},
	{of: reflect.TypeFor[*sock.Listener](), nets: []string{"tcp", "unix", "unixpacket"}, rows: listenRows,
		events: listenEvents, listen: true},
	{of: reflect.TypeFor[*sock.Pollable](), nets: []string{"pollable", "pollable-blocking"}, rows: pollRows,
		events: events},
}

// Complete fails for each exported method that has no row, and for rows of methods that are gone.
func Complete(t *testing.T) {
	for _, h := range handles {
		var have []string
		for _, r := range h.rows {
			name, _, _ := strings.Cut(r.method, "/")
			have = append(have, name)
			if _, ok := h.of.MethodByName(name); !ok {
				t.Errorf("%v has no method %s any more: its row must go", h.of, name)
			}
		}
		for i := range h.of.NumMethod() {
			if name := h.of.Method(i).Name; !slices.Contains(have, name) {
				t.Errorf("%v.%s has no row: add one to internal/test/socktest/rows_*.go, so that every kind of caller "+
					"is tried", h.of, name)
			}
		}
	}
}

// Run runs the matrix on a driver, and says how many cells there were: one in so many as part says. Without -long it
// leaves out the networks whose handles others have, too.
func Run(t *testing.T, driver string, part int) {
	var cells atomic.Int64
	var parts []matrixPart
	for _, net := range networks {
		if net.again && !testmain.Long() {
			continue
		}
		for _, who := range callers {
			parts = append(parts, matrixPart{net.name + "/" + who.name, func(t *testing.T) {
				m := &matrix{driver: driver, part: uint64(part)}
				defer m.end(t)
				m.calls(t, net, who)
				cells.Add(m.cells)
			}})
		}
	}
	together(t, parts)
	t.Logf("%d cells", cells.Load())
}

// matrixPart is a part of a matrix, whose cells come one after the other.
type matrixPart struct {
	name string
	run  func(t *testing.T)
}

// partsMax is how many parts run at a time. Their cells mostly wait, so this is no matter of processors, by which
// t.Parallel goes: on a machine with two of them both were idle for more than half of the time.
const partsMax = 8

// together runs parts beside each other, and returns when all have ended.
func together(t *testing.T, parts []matrixPart) {
	room := make(chan struct{}, partsMax)
	var running sync.WaitGroup
	for _, p := range parts {
		running.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(p.name, p.run)
		})
	}
	running.Wait()
}

// matrix runs cells, one after the other.
type matrix struct {
	driver string
	worlds uint64 // of seeds from 1 to it; 0: the system's kernel
	part   uint64 // of so many cells one is played; 0: all are
	storm  *Storm // in which the worlds are; nil: in none
	beside bool   // the callers are goroutines beside the worlds
	cells  int64
	runs   *runs // until a cell ends it
	drains bool  // its loop is to drain
}

// calls runs the cells of one kind of callers.
func (m *matrix) calls(t *testing.T, net *network, who *caller) {
	for _, h := range handles {
		if !slices.Contains(h.nets, net.name) {
			continue
		}
		for _, r := range h.rows {
			name := r.method
			if h.listen {
				name = "Listener." + name
			}
			if r.nets != nil && !slices.Contains(r.nets, net.name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				for _, ev := range h.events {
					refused, omitted := m.omits(h.of.Elem().Name(), net.name, who.name, r.method, ev.name)
					if !fits(net, who, r, ev) || omitted {
						continue
					}
					t.Run(ev.name, func(t *testing.T) {
						m.cell(t, func() *cell {
							return &cell{trial: trial{who: who}, net: net, row: r, ev: ev, listen: h.listen,
								refused: refused, turns: int(m.cells)}
						})
					})
				}
			})
		}
	}
}

// fits reports whether there is such a cell.
func fits(net *network, who *caller, r *row, ev *event) bool {
	switch {
	case ev.tasks && who.on == nil, ev.conns && (net.packets || net.pollable):
		return false
	case ev.drains && (r.read == nil || net.packets || net.pollable): // who writes is not idle
		return false
	case ev.comes && (r.read == nil || r.toEnd):
		return false
	case r.ask != nil:
		return ev.limit == 0 && !ev.partial && !ev.queued && !strings.HasPrefix(ev.name, "deadline")
	case r.raw && ev.partial && !net.packets:
		return false // what was received is out of its reach
	case r.write != nil && !net.fills(): // it never waits
		return ev.name == "plain" || ev.name == "partial" || strings.HasPrefix(ev.name, "deadline-past")
	case r.write != nil && net.records: // a record has no parts
		return !strings.HasPrefix(ev.name, "partial-") && ev.name != "deadline-ahead-partial"
	}
	return true
}

// takes reports whether a cell is of the part that is played: its name decides.
func (m *matrix) takes(t *testing.T) bool {
	if m.part <= 1 {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	return h.Sum64()>>32%m.part == 0
}

// cell runs one.
func (m *matrix) cell(t *testing.T, make func() *cell) {
	if !m.takes(t) {
		return
	}
	m.cells++
	if m.worlds > 0 {
		m.inWorlds(t, make)
		return
	}
	x := make()
	if x.ev.drains {
		m.end(t) // this one's loops drain
		m.drains = true
	}
	m.open(t)
	x.runs = m.runs
	err := x.run()
	m.close(t, err, x.ev.ended)
	if m.drains {
		m.end(t)
		m.drains = false
	}
}

// open makes Runs for the next cell, if there is none.
func (m *matrix) open(t *testing.T) {
	if m.runs != nil {
		return
	}
	w, err := newRuns(m.driver, m.drains)
	if err != nil {
		t.Fatal(err)
	}
	m.runs = w
}

// close reports how a cell went. It may have ended the loop.
func (m *matrix) close(t *testing.T, err error, ended bool) {
	var hung *hang
	switch {
	case errors.As(err, &hung):
		m.runs = nil // it can't be ended
	case ended:
		m.runs.other.end()
		m.runs = nil
	}
	if err != nil {
		t.Error(err)
	}
}

func (m *matrix) end(t *testing.T) {
	if m.runs == nil {
		return
	}
	if err := m.runs.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	m.runs = nil
}
