package server

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// disk is an output with room for so many bytes.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	if d.Buffer.Write(p[:n]); n < len(p) {
		return n, errors.New("disk full")
	}
	return n, nil
}

// TestLogOnFullDisk: of lines that come while an output has no room those that are lost are counted, each failure is
// told once, and those that are written are whole.
func TestLogOnFullDisk(t *testing.T) {
	const one, two, three = "first line\n", "second line\n", "third line\n"
	for _, c := range []struct {
		name  string
		rooms []int // for each of three pieces, which have all lines
		want  string
		lost  int64
		told  int
	}{
		{"no room", []int{0, 0, 0}, "", 9, 1},
		{"room at the end", []int{0, 0, 100}, one + two + three, 6, 1},
		{"room for a part of a line", []int{14, 0, 100}, one + two + one + two + three, 4, 1},
		{"room for the rest in pieces", []int{14, 3, 100}, one + two + one + two + three, 4, 1},
		{"room for a line", []int{len(one), 0, 100}, one + one + two + three, 5, 1},
		{"room between", []int{0, 100, 0}, one + two + three, 6, 2},
		{"room that ends in the middle", []int{0, 100, 3}, one + two + three + one[:3], 5, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, stderr := new(disk), new(bytes.Buffer)
			g := &Log{w: out, stderr: stderr}
			for _, room := range c.rooms {
				out.room = room
				g.write([]byte(one + two + three))
			}
			if got := out.String(); got != c.want {
				t.Errorf("the output has %q, want %q", got, c.want)
			}
			if got := g.LeftOut(); got != c.lost {
				t.Errorf("%d lines are counted as left out, want %d", got, c.lost)
			}
			if text := stderr.String(); strings.Count(text, "disk full") != c.told {
				t.Errorf("stderr has %q, want %d failures", text, c.told)
			}
		})
	}
}

// TestLogClose: lines that loops still had are counted, too, if they can't be written.
func TestLogClose(t *testing.T) {
	g := &Log{w: new(disk), stderr: new(bytes.Buffer), loops: []*Lines{nil, {piece: []byte("a\nb\n"), count: 2}}}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if got := g.LeftOut(); got != 2 {
		t.Errorf("%d lines are counted as left out, want 2", got)
	}
}

// The rest of a line that was cut goes out at the end, or counts as left out.
func TestLogCloseBehindACut(t *testing.T) {
	const one, two = "first line\n", "second line\n"
	for room, want := range map[int]struct {
		text string
		left int64
	}{0: {one[:3], 2}, 2: {one[:5], 2}, 100: {one, 1}} {
		out := &disk{room: 3}
		g := &Log{w: out, stderr: new(bytes.Buffer)}
		g.write([]byte(one + two))
		out.room = room
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if got := g.LeftOut(); got != want.left || out.String() != want.text {
			t.Errorf("with room for %d bytes %q is written and %d lines count as left out, want %q and %d", room,
				out.String(), got, want.text, want.left)
		}
	}
}
