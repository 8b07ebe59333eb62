package metrics

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"ringo/stats"
)

// A Text collects metrics in Prometheus' text format, version 0.0.4: those of Each, or a program's own. The samples of
// a Metric must come one after the other, with the same pointer. Bytes of a label or of Help that are not UTF-8 become
// U+FFFD; names are written as they are. The zero Text is empty. Its methods do not wait; one goroutine or task at a
// time may call them.
type Text struct {
	b    bytes.Buffer
	last *Metric
}

// Add adds a sample. Its Metric must have Name, Help and Kind, Labels if there are any, and Bounds if it is a
// histogram.
func (t *Text) Add(s Sample) {
	m := s.Metric
	if m != t.last {
		t.last = m
		t.b.WriteString("# HELP " + m.Name + " " + escapeHelp.Replace(valid(m.Help)) + "\n" +
			"# TYPE " + m.Name + " " + m.Kind.String() + "\n")
	}
	if m.Kind != Histogram {
		t.line("", &s, "", s.Value)
		return
	}
	for i, n := range s.Buckets {
		t.line("_bucket", &s, number(m.Bounds[i]), float64(n))
	}
	t.line("_bucket", &s, "+Inf", float64(s.Count))
	t.line("_sum", &s, "", s.Sum)
	t.line("_count", &s, "", float64(s.Count))
}

// Value adds the value of a counter or a gauge, with the values of its Metric's Labels.
func (t *Text) Value(m *Metric, v float64, labels ...string) {
	t.Add(Sample{Metric: m, Labels: labels, Value: v})
}

// Times adds a histogram of times, with the values of its Metric's Labels. Bounds must be among those of
// stats.Histogram: powers of two of nanoseconds, in seconds.
func (t *Text) Times(m *Metric, h *stats.Histogram, labels ...string) {
	newPutter(m, t.Add).times(h, labels...)
}

// WriteTo writes the text to w, and empties it.
func (t *Text) WriteTo(w io.Writer) (int64, error) {
	t.last = nil
	return t.b.WriteTo(w)
}

// line writes a line: the name with this suffix, the labels, and a value. bound is the label le, "" if there is none.
func (t *Text) line(suffix string, s *Sample, bound string, v float64) {
	t.b.WriteString(s.Metric.Name + suffix)
	sep := "{"
	label := func(name, value string) {
		t.b.WriteString(sep + name + `="` + escape.Replace(valid(value)) + `"`)
		sep = ","
	}
	for _, i := range sorted(s.Metric.Labels) {
		label(s.Metric.Labels[i], s.Labels[i])
	}
	if bound != "" {
		label("le", bound)
	}
	if sep == "," {
		t.b.WriteByte('}')
	}
	t.b.WriteString(" " + number(v) + "\n")
}

// valid returns text as UTF-8: of an answer with anything else Prometheus takes nothing.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// sorted returns the indexes of names in the order of the names, which is Prometheus' order of labels.
func sorted(names []string) []int {
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	return order
}

var (
	escapeHelp = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escape     = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
)
