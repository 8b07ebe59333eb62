package metrics_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ringo/metrics"
	"ringo/stats"
)

// A program writes a metric of its own, with labels whatever their values are.
func ExampleText() {
	orders := &metrics.Metric{Name: "shop_orders_total", Help: "Orders that came.", Kind: metrics.Counter,
		Labels: []string{"shop"}}
	var t metrics.Text
	t.Value(orders, 17, "Rome")
	t.Value(orders, 4, `"Chez Nous"`)
	t.WriteTo(os.Stdout)
	// Output:
	// # HELP shop_orders_total Orders that came.
	// # TYPE shop_orders_total counter
	// shop_orders_total{shop="Rome"} 17
	// shop_orders_total{shop="\"Chez Nous\""} 4
}

// Each bucket of a histogram has what is below its bound, and all have what is longer than the last one's.
func TestTextTimes(t *testing.T) {
	var h stats.Histogram
	for _, d := range []time.Duration{0, 1 << 14, 1 << 15, 1<<15 + 1<<14, 1 << 20, time.Hour} {
		h.Add(d)
	}
	m := &metrics.Metric{Name: "m", Help: `of \ two` + "\nlines", Kind: metrics.Histogram, Labels: []string{"b", "a"}}
	for bit := 15; bit <= 36; bit++ {
		m.Bounds = append(m.Bounds, time.Duration(1<<bit).Seconds())
	}
	var text metrics.Text
	text.Times(m, &h, "one", "another")
	var b strings.Builder
	text.WriteTo(&b)
	line := func(bound time.Duration, n int) string {
		return fmt.Sprintf(`m_bucket{a="another",b="one",le="%v"} %d`, bound.Seconds(), n)
	}
	for _, want := range []string{
		`# HELP m of \\ two\nlines`, "# TYPE m histogram", line(1<<15, 2), line(1<<16, 4), line(1<<20, 4),
		line(1<<21, 5), line(1<<36, 5), `m_bucket{a="another",b="one",le="+Inf"} 6`, `m_count{a="another",b="one"} 6`,
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	if n := strings.Count(b.String(), "_bucket"); n != len(m.Bounds)+1 {
		t.Errorf("%d buckets, want %d", n, len(m.Bounds)+1)
	}
}

// Labels and help that are no text are written as text.
func TestTextOfBytes(t *testing.T) {
	m := &metrics.Metric{Name: "m", Help: "One\xff\n\\.", Kind: metrics.Gauge, Labels: []string{"peer"}}
	var text metrics.Text
	text.Value(m, 1, "a\xff\xfe\"b")
	var b strings.Builder
	text.WriteTo(&b)
	if got, want := b.String(), `m{peer="a`+"\uFFFD"+`\"b"} 1`+"\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end in %q", got, want)
	}
	if got, want := b.String(), "# HELP m One\uFFFD\\n\\\\.\n"; !strings.HasPrefix(got, want) {
		t.Errorf("%q does not begin with %q", got, want)
	}
}

// A metric without labels has a name and a value; the next one after WriteTo is told of anew.
func TestTextWithoutLabels(t *testing.T) {
	m := &metrics.Metric{Name: "m", Help: "One.", Kind: metrics.Gauge}
	var text metrics.Text
	for range 2 {
		var b strings.Builder
		text.Value(m, 1.5)
		text.WriteTo(&b)
		if got, want := b.String(), "# HELP m One.\n# TYPE m gauge\nm 1.5\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
