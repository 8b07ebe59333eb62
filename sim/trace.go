package sim

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringo/internal/op"
	"ringo/internal/sim/world"
)

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds of events, and the meaning of an Event's other fields.
const (
	TurnBegan    EventKind = iota // of loop N
	OpEnded                       // with result N
	PacketSent                    // of N bytes, which Arrives
	PacketLost                    // of N bytes
	Began                         // a program
	Ended                         // a program
	Crashed                       // the host
	Restarted                     // the host
	Paused                        // for N nanoseconds
	ClockStepped                  // by N nanoseconds
	WayCut                        // from Host to Peer
	WayMended                     // from Host to Peer
	FaultCame                     // of kind N
	Noted                         // by World.Note
	WayReset                      // with all N connections between Host and Peer
)

var eventNames = [...]string{TurnBegan: "turn", OpEnded: "op", PacketSent: "packet", PacketLost: "packet lost",
	Began: "program begins", Ended: "program ends", Crashed: "crash", Restarted: "restart", Paused: "pause",
	ClockStepped: "clock step", WayCut: "cut", WayMended: "mended", FaultCame: "fault", Noted: "note",
	WayReset: "reset"}

// String returns the kind's name.
func (k EventKind) String() string { return eventNames[k] }

// An Event is something that happened in a world.
type Event struct {
	At      time.Duration // since the world began
	Arrives time.Duration // of a packet
	N       int64
	Host    int    // from 1
	Peer    int    // the host that a packet is sent to; 0: none
	What    string // an op's name, or a note
	Kind    EventKind
}

// trace is the history of a world: a hash of everything, and the last events.
type trace struct {
	hash   uint64
	all    uint64  // the number of all events
	count  uint64  // the number of those that are kept
	last   []Event // a ring
	to     io.Writer
	names  func(Event) string
	failed error // the error of a write
}

// eventsMax is how many events are kept.
const eventsMax = 1 << 14

func (t *trace) open() { t.hash = 0x52696e676f }

// add records an event.
func (t *trace) add(e Event) {
	h := mix(t.hash ^ uint64(e.At))
	h = mix(h ^ uint64(e.Kind)<<56 ^ uint64(e.Host)<<28 ^ uint64(e.Peer))
	h = mix(h ^ uint64(e.N))
	for i := range len(e.What) {
		h = (h ^ uint64(e.What[i])) * 0x100000001b3
	}
	t.hash = h
	t.all++
	if e.Kind != TurnBegan && e.Kind != OpEnded {
		if len(t.last) < eventsMax {
			t.last = append(t.last, e)
		} else {
			t.last[t.count%eventsMax] = e
		}
		t.count++
	}
	if t.to != nil {
		if _, err := fmt.Fprintln(t.to, t.names(e)); err != nil {
			t.to, t.failed = nil, err
		}
	}
}

// turn records a loop's turn.
func (t *trace) turn(now int64, host, loop int) {
	t.add(Event{At: time.Duration(now - world.Start), Kind: TurnBegan, Host: host, N: int64(loop)})
}

func (w *World) sinceStart(ns int64) time.Duration { return time.Duration(ns - world.Start) }

// note records an event that happens now.
func (w *World) note(e Event) {
	e.At = w.Elapsed()
	w.trace.add(e)
}

// noteOp records a completion of an op.
func (w *World) noteOp(h *Host, o *op.Op, res int32) {
	w.note(Event{Kind: OpEnded, Host: h.index, N: int64(res), What: o.Def().Name})
}

// Note adds a text to the events.
func (w *World) Note(h *Host, what string) {
	defer w.stage.Enter()()
	e := Event{Kind: Noted, What: what}
	if h != nil {
		w.wantOwn("World.Note", h)
		e.Host = h.index
	}
	w.note(e)
}

// Hash returns a hash of everything that has happened so far, turn by turn and op by op. Worlds of the same seed and
// script have the same hash.
func (w *World) Hash() uint64 { return w.trace.hash }

// Events returns the last events, up to 16384, without turns and ops.
func (w *World) Events() []Event {
	t := &w.trace
	if len(t.last) < eventsMax {
		return append([]Event(nil), t.last...)
	}
	at := t.count % eventsMax
	return append(append([]Event(nil), t.last[at:]...), t.last[:at]...)
}

// TraceTo writes each event to to, a line each, from now on. If a write fails, nothing more is written and the test
// fails at the world's end.
func (w *World) TraceTo(to io.Writer) { w.trace.to, w.trace.names = to, w.eventText }

func (w *World) eventText(e Event) string {
	text := fmt.Sprintf("%12v  %s", e.At, e.Kind)
	if e.Host > 0 {
		text = fmt.Sprintf("%12v  %-10s %s", e.At, w.hosts[e.Host-1].shown(), e.Kind)
	}
	if e.Peer > 0 {
		text += " to " + w.hosts[e.Peer-1].shown()
	}
	switch e.Kind {
	case OpEnded:
		return fmt.Sprintf("%s %s: %d", text, e.What, e.N)
	case FaultCame:
		return text + " " + FaultKind(e.N).String()
	case PacketSent:
		return fmt.Sprintf("%s, %d bytes, arrives at %v", text, e.N, e.Arrives)
	case Paused, ClockStepped:
		return text + " " + time.Duration(e.N).String()
	case Noted:
		return text + " " + shown(e.What, noteShown)
	}
	return fmt.Sprintf("%s %d", text, e.N)
}

// The bounds of names and notes in lines and pages, in characters.
const (
	nameShown = 40
	noteShown = 1000
)

func (h *Host) shown() string { return shown(h.name, nameShown) }

// shown returns a text for one line: what can't be printed is in Go's notation, and a text longer than most characters
// is truncated.
func shown(text string, most int) string {
	if strings.ContainsFunc(text, func(c rune) bool { return c == utf8.RuneError || !unicode.IsPrint(c) }) {
		quoted := strconv.Quote(text[:min(len(text), 4*most)])
		text = quoted[1 : len(quoted)-1]
	}
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text[:min(len(text), 4*most)])[:most-1]) + "…"
	}
	return text
}
