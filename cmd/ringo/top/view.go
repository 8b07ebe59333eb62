package top

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// view is what the user has chosen to see.
type view struct {
	list     int
	sorts    []int // the column that each list is sorted by
	reversed bool
	paused   bool
	err      error        // of the last ask
	red      map[int]bool // lines of the screen, of loops that are held
}

// column is a column of a list.
type column struct {
	title string
	field string
	width int // negative: aligned left; 0: the rest of the line
	as    func(any) string
}

// list is a list that can be shown below the loops.
type list struct {
	name, api string
	rows      string   // the field of the answer that has the rows
	sorts     []string // columns to sort by, the default first
	columns   []column
}

var lists = []list{
	{"tasks", "tasks", "tasks", []string{"-since", "-age", "-ran", "name", "wait", "-stack", "id"}, []column{
		{"LOOP", "loop", 5, nil}, {"TASK", "id", 8, number}, {"STATE", "state", -8, nil}, {"SINCE", "since", 9, ageOf},
		{"AGE", "age", 9, ageOf}, {"CPU", "ran", 7, part}, {"STACK", "stack", 8, size}, {"RUNS", "name", -34, brief},
		{"WAITS FOR", "wait", 0, nil},
	}},
	{"connections", "handles", "handles", []string{"-age", "fd", "remote", "-unread", "-unsent", "kind"}, []column{
		{"LOOP", "loop", 5, nil}, {"FD", "fd", 7, number}, {"KIND", "kind", -9, nil}, {"STATE", "state", -9, nil},
		{"AGE", "age", 9, ageOf}, {"UNREAD", "unread", 8, number}, {"UNSENT", "unsent", 8, number},
		{"READING", "reading", -8, nil}, {"WRITING", "writing", -8, nil}, {"LOCAL", "local", -22, nil},
		{"PEER", "remote", 0, nil},
	}},
	{"operations", "ops", "ops", []string{"fd", "op", "-bytes", "loop"}, []column{
		{"LOOP", "loop", 5, nil}, {"FD", "fd", 7, number}, {"LENT", "bytes", 9, size}, {"STATE", "state", -10, nil},
		{"OPERATION", "op", 0, nil},
	}},
	{"holds", "holds", "holds", nil, []column{
		{"LOOP", "loop", 5, nil}, {"TIMES", "times", 8, number}, {"IN ALL", "total", 9, durOf},
		{"LONGEST", "longest", 9, durOf}, {"STATE", "state", -12, nil}, {"TASK", "task", -34, brief},
		{"IN", "in", 0, nil},
	}},
	{"lanes", "", "", nil, []column{
		{"LANE", "name", -12, nil}, {"RUNNING", "running", 8, number}, {"OF", "max", 7, number},
		{"WAITING", "waiting", 8, number}, {"FIRST FOR", "oldest", 10, durOf}, {"LONGEST", "longest", 10, durOf},
	}},
}

func listNames() (names []string) {
	for _, l := range lists {
		names = append(names, l.name)
	}
	return names
}

// sort returns the API's sort parameter for the current list.
func (v *view) sort() string {
	by := lists[v.list].sorts[v.sorts[v.list]]
	if !v.reversed {
		return by
	}
	if plain, ok := strings.CutPrefix(by, "-"); ok {
		return plain
	}
	return "-" + by
}

// press handles a key, and reports whether that ends ringo top.
func (v *view) press(key byte) (end bool) {
	switch {
	case key == 'q' || key == 3 || key == 4:
		return true
	case key >= '1' && int(key-'1') < len(lists):
		v.list, v.reversed = int(key-'1'), false
	case key == 's' && len(lists[v.list].sorts) > 0:
		v.sorts[v.list] = (v.sorts[v.list] + 1) % len(lists[v.list].sorts)
		v.reversed = false
	case key == 'r':
		v.reversed = !v.reversed
	case key == ' ':
		v.paused = !v.paused
	}
	return false
}

// widthMax is the width of output that does not go to a terminal.
const widthMax = 200

// lines returns the lines of a screen, or of output that does not go to a terminal: then width is 0.
func (v *view) lines(c *client, width, height int) []string {
	p := &c.now.Process
	lines := []string{
		fmt.Sprintf("%s  pid %d  %s  %d loops  %d goroutines  %s  up %s", plain(p.Name), p.PID, plain(p.Go),
			len(c.now.Loops), p.Goroutines, size(float64(p.Memory)), ageOf(float64(p.Up))), "",
		" LOOP DRIVER        LOAD  TURNS/S  WAITS/S  COMPL/S     HALF     99 %   RECENT STALLS   TASKS     OPS BUFFERS",
	}
	v.red = map[int]bool{}
	for i := range c.now.Loops {
		l := &c.now.Loops[i]
		lines = append(lines, c.loopLine(l))
		if l.Stats.Held > 0 {
			v.red[len(lines)] = true
			lines = append(lines, l.heldLine())
		}
	}
	lines = append(lines, "", v.title(c))
	lines = append(lines, v.listLines(c)...)
	foot := "1-5 lists  s sort  r reverse  space pause  q quit"
	switch {
	case v.err != nil:
		foot = "no answer: " + plain(v.err.Error())
	case v.paused:
		foot = "paused. " + foot
	}
	if width == 0 {
		width = widthMax
	} else {
		if len(lines) > height-1 {
			lines = lines[:max(height-1, 1)]
		}
		lines = append(lines, foot)
	}
	for i, line := range lines {
		if r := []rune(line); len(r) > width {
			lines[i] = string(r[:width])
		}
	}
	return lines[:min(len(lines), max(height, 1))]
}

// loopLine returns the line of a loop. Its rates are since the answer before, if that was the same process's.
func (c *client) loopLine(l *oneLoop) string {
	var was *oneLoop
	seconds := 0.0
	if c.before != nil && c.before.Process.PID == c.now.Process.PID && c.before.Process.Up <= c.now.Process.Up {
		if i := slices.IndexFunc(c.before.Loops, func(o oneLoop) bool { return o.Loop == l.Loop }); i >= 0 {
			was, seconds = &c.before.Loops[i], c.now.Now.Sub(c.before.Now).Seconds()
		}
	}
	rate := func(of func(*oneLoop) uint64) string {
		if was == nil || seconds <= 0 {
			return "-"
		}
		return fmt.Sprintf("%.0f", float64(of(l)-of(was))/seconds)
	}
	load := "-"
	if was != nil && seconds > 0 {
		load = fmt.Sprintf("%.1f %%", 100*float64(l.Stats.InTasks-was.Stats.InTasks)/1e9/seconds)
	}
	s := &l.Stats
	counts := s.TurnTimes.Buckets
	if was != nil {
		counts = since(counts, was.Stats.TurnTimes.Buckets)
	}
	return fmt.Sprintf("%5s %-12s %7s %8s %8s %8s %8s %8s %8s %6d %7d %7d %7d", plain(l.Loop), plain(l.Info.Name), load,
		rate(func(o *oneLoop) uint64 { return o.Stats.Turns }), rate(func(o *oneLoop) uint64 { return o.Stats.Parks }),
		rate(func(o *oneLoop) uint64 { return o.Stats.Driver.Completions }),
		quantile(counts, 0.5), quantile(counts, 0.99),
		durOf(float64(s.Recent)), s.Stalls, s.Tasks, s.Slots, s.Buffers)
}

// heldLine says for how long a loop has been held, and by which task.
func (l *oneLoop) heldLine() string {
	text := "      held for " + durOf(float64(l.Stats.Held))
	if h := l.Held; h != nil {
		if h.Task != "" {
			text += " by " + brief(h.Task)
		}
		if h.At != "" {
			text += " (" + h.At + ")"
		}
		text += ", " + h.State
		if h.In != "" {
			text += " in " + h.In
		}
	}
	return plain(text)
}

// since returns what a histogram has counted after before was taken.
func since(now, before [][2]uint64) (counts [][2]uint64) {
	was := map[uint64]uint64{}
	for _, b := range before {
		was[b[0]] = b[1]
	}
	for _, b := range now {
		if n := b[1] - was[b[0]]; n > 0 {
			counts = append(counts, [2]uint64{b[0], n})
		}
	}
	return counts
}

// quantile returns the bound of the bucket that the quantile q is in.
func quantile(counts [][2]uint64, q float64) string {
	var all uint64
	for _, b := range counts {
		all += b[1]
	}
	left := q * float64(all)
	for _, b := range counts {
		if left -= float64(b[1]); left <= 0 {
			if b[0] == 0 {
				return ">137 s"
			}
			return "<" + durOf(float64(b[0]))
		}
	}
	return "-"
}

// title returns the line above the list.
func (v *view) title(c *client) string {
	l := &lists[v.list]
	if l.name == "lanes" {
		return "lanes"
	}
	text := fmt.Sprintf("%s: %v", l.name, number(c.list["total"]))
	if states, ok := c.list["states"].(map[string]any); ok {
		var words []string
		for state, n := range states {
			words = append(words, fmt.Sprintf("%v %s", number(n), plain(state)))
		}
		slices.Sort(words)
		text += " (" + strings.Join(words, ", ") + ")"
	}
	if len(l.sorts) > 0 {
		text += ", by " + v.sort()
	}
	return text
}

// listLines returns the lines of the list, with its heading.
func (v *view) listLines(c *client) []string {
	l := &lists[v.list]
	var rows []row
	if l.name == "lanes" {
		for _, run := range c.now.Lanes {
			rows = append(rows, run...)
		}
	} else if all, ok := c.list[l.rows].([]any); ok {
		for _, r := range all {
			if m, ok := r.(map[string]any); ok {
				rows = append(rows, m)
			}
		}
	}
	var head strings.Builder
	for _, col := range l.columns {
		put(&head, col.width, col.title)
	}
	lines := []string{strings.TrimRight(head.String(), " ")}
	for _, r := range rows {
		var b strings.Builder
		for _, col := range l.columns {
			text := ""
			switch value := r[col.field]; {
			case value == nil:
			case col.as != nil:
				text = col.as(value)
			default:
				text = fmt.Sprint(value)
			}
			put(&b, col.width, plain(text))
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// put writes a cell and a space. It cuts a text that is too long for a column that is aligned left.
func put(b *strings.Builder, width int, text string) {
	r := []rune(text)
	if width < 0 && len(r) > -width {
		r = append(r[:-width-1], '…')
	}
	if width == 0 {
		b.WriteString(string(r))
		return
	}
	fmt.Fprintf(b, "%*s ", width, string(r))
}

// plain returns a text with ? in place of what a terminal would not print, such as escape sequences.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// brief returns a function's name without the path of its package.
func brief(v any) string {
	name := fmt.Sprint(v)
	if i := strings.LastIndexByte(name, '/'); i >= 0 && !strings.ContainsAny(name[:i], " ()") {
		name = name[i+1:]
	}
	return name
}

func number(v any) string {
	n, ok := v.(float64)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%.0f", n)
}

// part formats a share that is in millionths as a percentage.
func part(v any) string {
	n, _ := v.(float64)
	return fmt.Sprintf("%.1f %%", n/1e4)
}

func size(v any) string {
	n, _ := v.(float64)
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%.0fB", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1fKiB", n/(1<<10))
	}
	return fmt.Sprintf("%.1fMiB", n/(1<<20))
}

// durOf formats a duration of the API, in nanoseconds, with three digits or so; ageOf formats one for which
// milliseconds don't matter.
func durOf(v any) string {
	n, _ := v.(float64)
	d := time.Duration(n)
	switch {
	case d < time.Microsecond:
	case d < time.Millisecond:
		d = d.Round(100 * time.Nanosecond)
	case d < time.Second:
		d = d.Round(100 * time.Microsecond)
	default:
		d = d.Round(100 * time.Millisecond)
	}
	return d.String()
}

func ageOf(v any) string {
	n, _ := v.(float64)
	d := time.Duration(n)
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
