package sim

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of a page: the number of events, the bytes of the failure's text, and the characters of a text in a lane.
const (
	pageMost  = 2000
	pageText  = 1 << 16
	laneShown = 28
)

// The page's dimensions, in pixels.
const (
	pageTop  = 40
	pageLane = 180
	pageRow  = 14
)

// WritePage writes the last events as an HTML page: a lane for each host, arrows for packets, and a line for each
// event. Time goes downwards, by event and not by the clock.
func (w *World) WritePage(to io.Writer) error {
	events := w.Events()
	if len(events) > pageMost {
		events = events[len(events)-pageMost:]
	}
	b := bufio.NewWriter(to)
	height := pageTop + pageRow*(len(events)+2)
	first := 1 // the first lane; lane 0 is the script's
	if slices.ContainsFunc(events, func(e Event) bool { return e.Host == 0 }) {
		first = 0
	}
	x := func(host int) int { return 120 + pageLane*(host-first) }
	fmt.Fprintf(b, `<!doctype html><html lang="en"><meta charset="utf-8"><title>seed %d</title>
<style>
:root { color-scheme: light dark; --ink: light-dark(#222, #ddd); --dim: light-dark(#999, #777) }
body { margin: 1em; font: 13px system-ui, sans-serif; color: var(--ink) }
svg { font: 10px ui-monospace, monospace } text { fill: var(--ink) } .t { fill: var(--dim) }
line { stroke: var(--dim) } .p { stroke: #3b82c4 } .l { stroke: #d33; stroke-dasharray: 3 3 }
.f { fill: #d33 } .n { fill: #2a8a4a } pre { white-space: pre-wrap }
</style>
<h1>Seed %d: %d hosts, %v</h1>
`, w.seed, w.seed, len(w.hosts), w.Elapsed())
	if w.failure != nil {
		text := w.failure.Text
		if len(text) > pageText {
			text = text[:pageText] + "…"
		}
		fmt.Fprintf(b, "<pre>%s</pre>\n", html.EscapeString(strings.Map(visible, text)))
	}
	fmt.Fprintf(b, `<svg width="%d" height="%d" role="img" aria-label="packets and events of the hosts">
<defs><marker id="a" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">
<path d="M0 0L6 3L0 6z" fill="#3b82c4"/></marker></defs>
`, x(len(w.hosts)+1), height)
	lane := func(host int, name string) {
		fmt.Fprintf(b, `<text x="%d" y="20" text-anchor="middle">%s</text><line x1="%d" y1="28" x2="%d" y2="%d"/>`+"\n",
			x(host), html.EscapeString(name), x(host), x(host), height)
	}
	if first == 0 {
		lane(0, "(the script)")
	}
	for _, h := range w.hosts {
		lane(h.index, shown(h.name, laneShown))
	}
	rows := make([]time.Duration, len(events)) // the time of each row
	for i, e := range events {
		rows[i] = e.At
	}
	for i, e := range events {
		y := pageTop + pageRow*i
		fmt.Fprintf(b, `<text class="t" x="4" y="%d">%v</text>`, y+4, e.At)
		title := html.EscapeString(w.eventText(e))
		switch e.Kind {
		case PacketSent:
			to := y + pageRow*(rowAt(rows[i:], e.Arrives))
			fmt.Fprintf(b, `<line class="p" marker-end="url(#a)" x1="%d" y1="%d" x2="%d" y2="%d"><title>%s</title>`+
				"</line>", x(e.Host), y, x(e.Peer), to, title)
		case PacketLost:
			fmt.Fprintf(b, `<line class="l" x1="%d" y1="%d" x2="%d" y2="%d"><title>%s</title></line>`, x(e.Host), y,
				(x(e.Host)+x(e.Peer))/2, y+pageRow/2, title)
		default:
			class, what := "f", e.Kind.String()
			switch e.Kind {
			case Noted:
				class, what = "n", shown(e.What, laneShown)
			case FaultCame:
				what = FaultKind(e.N).String()
			}
			fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s<title>%s</title></text>`, class, x(e.Host)+6, y+4,
				html.EscapeString(what), title)
		}
		b.WriteByte('\n')
	}
	b.WriteString("</svg></html>\n")
	return b.Flush()
}

// rowAt returns how many rows further down a time is.
func rowAt(rows []time.Duration, at time.Duration) int {
	for i, r := range rows {
		if r >= at {
			return i
		}
	}
	return len(rows)
}

// visible returns a character, or a replacement if it can't be in a page.
func visible(c rune) rune {
	if c < ' ' && c != '\n' && c != '\t' || c == 0xfffe || c == 0xffff {
		return utf8.RuneError
	}
	return c
}
