package metrics_test

import (
	"context"
	"encoding/json"
	"expvar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/metrics"
	"ringo/sock"
)

// docs/metrics.md explains each metric under its name, with its kind and labels, and no other.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(ringo_[a-z_]+)` \\| ([a-z]+)(?:, ([a-z]+))? \\| ([^|]*?) ?\\| [^|]{30,} \\|$")
	rows := row.FindAllStringSubmatch(string(page), -1)
	documented := map[string][]string{}
	for _, row := range rows {
		documented[row[1]] = row
	}
	for _, m := range metrics.All() {
		row, ok := documented[m.Name]
		if !ok {
			t.Errorf("%s is not in docs/metrics.md, with its kind, labels and what to look at", m.Name)
			continue
		}
		delete(documented, m.Name)
		if row[2] != m.Kind.String() || row[3] != m.Unit {
			t.Errorf("%s is documented as a %s of %q, and is a %v of %q", m.Name, row[2], row[3], m.Kind, m.Unit)
		}
		labels := m.Labels[slices.Index(m.Labels, "run")+1:]
		if labels = labels[1:]; len(labels) > 1 && labels[0] == "network" {
			labels = labels[2:]
		}
		if got := strings.ReplaceAll(row[4], "`", ""); got != strings.Join(labels, ", ") {
			t.Errorf("%s is documented with the labels %q, and has %q", m.Name, got, labels)
		}
	}
	for name := range documented {
		t.Errorf("docs/metrics.md has %s, which is no metric", name)
	}
}

// Names follow Prometheus' conventions, and none is there twice in either form.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range metrics.All() {
		for _, name := range []string{m.Name, m.Dotted()} {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if strings.HasSuffix(m.Name, "_total") != (m.Kind == metrics.Counter) {
			t.Errorf("%s is a %v", m.Name, m.Kind)
		}
		if base := strings.TrimSuffix(m.Name, "_total"); m.Unit != "" && !strings.HasSuffix(base, "_"+m.Unit) {
			t.Errorf("%s has the unit %s", m.Name, m.Unit)
		}
		if (m.Bounds != nil) != (m.Kind == metrics.Histogram) || !slices.IsSorted(m.Bounds) {
			t.Errorf("%s is a %v with bounds %v", m.Name, m.Kind, m.Bounds)
		}
		if !strings.HasSuffix(m.Help, ".") || strings.ContainsAny(m.Help, "\\\n") {
			t.Errorf("%s: %q", m.Name, m.Help)
		}
	}
}

// A loop that is held says so in what a scrape gets, and that no more once it goes on.
func TestHeldLoop(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		hold, held := make(chan bool), make(chan bool)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			l.Go(func() { close(held); <-hold })
			err := l.Offload(func(context.Context) error {
				<-held
				text := scrape()
				for _, name := range []string{"ringo_loop_held_seconds", "ringo_loop_longest_turn_seconds"} {
					if !positive(text, name) {
						t.Errorf("%s of a held loop is 0:\n%s", name, text)
					}
				}
				close(hold)
				for positive(scrape(), "ringo_loop_held_seconds") {
				}
				if !positive(scrape(), "ringo_loop_longest_turn_seconds") {
					t.Error("the turn is forgotten")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	})
}

func scrape() string {
	w := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(w, nil)
	return w.Body.String()
}

// positive reports whether a loop has more than a hundredth of that.
func positive(text, name string) bool {
	return regexp.MustCompile("(?m)^" + name + `\{[^}]*\} (0\.0[1-9]|0\.[1-9]|[1-9])[0-9.]*$`).MatchString(text)
}

// Samples have the labels of their metric, no set of them twice, and buckets that rise to no more than the count; also
// to a task that reads.
func TestEach(t *testing.T) {
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() == 1 {
			return l.Sleep(1)
		}
		queues := 0
		for range 2 {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			if ln.Stats().QueueMax > 0 { // which only Linux tells
				queues++
			}
		}
		samples(t, queues)
		return l.Offload(func(context.Context) error { samples(t, queues); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
}

func samples(t *testing.T, queues int) {
	seen, listeners := map[string]bool{}, 0
	metrics.Each(func(s metrics.Sample) {
		key := s.Metric.Name + " " + strings.Join(s.Labels, " ")
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if len(s.Labels) != len(s.Metric.Labels) {
			t.Errorf("%s has the labels %q", s.Metric.Name, s.Labels)
		}
		if s.Metric.Kind == metrics.Histogram {
			if len(s.Buckets) != len(s.Metric.Bounds) || !slices.IsSorted(s.Buckets) ||
				s.Buckets[len(s.Buckets)-1] > s.Count {
				t.Errorf("%s: %d of %d bounds: %v", key, s.Count, len(s.Metric.Bounds), s.Buckets)
			}
		}
		if s.Metric.Name == "ringo_listener_queue_max" && s.Value > 0 {
			listeners++
		}
	})
	if listeners != queues {
		t.Errorf("%d listeners with a queue, want %d", listeners, queues)
	}
}

// What expvar shows has each metric, and is JSON.
func TestPublish(t *testing.T) {
	metrics.Publish("ringo")
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error { return l.Sleep(1) })
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	expvar.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/debug/vars", nil))
	var all struct{ Ringo map[string][]map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	parks := all.Ringo["ringo_loop_parks_total"]
	if len(parks) == 0 || parks[0]["value"].(float64) < 1 || parks[0]["run"] != "0" || parks[0]["loop"] != "0" {
		t.Errorf("parks: %v", parks)
	}
	turns := all.Ringo["ringo_loop_turn_seconds"]
	if len(turns) == 0 || turns[0]["count"].(float64) < 1 || len(turns[0]["buckets"].(map[string]any)) == 0 {
		t.Errorf("turns: %v", turns)
	}
}

// The name of a Unix socket may be any bytes, and what monitoring systems are told is text.
func TestLabelsAreText(t *testing.T) {
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "unix", filepath.Join(t.TempDir(), "\xff\n\"\xfe"))
		if err != nil {
			return err
		}
		defer ln.Close()
		text, found := scrape(), false
		metrics.Each(func(s metrics.Sample) {
			for _, label := range s.Labels {
				if !utf8.ValidString(label) {
					t.Errorf("%s has a label that is no text: %q", s.Metric.Name, label)
				}
				found = found || strings.HasSuffix(label, "\n\"\uFFFD")
			}
		})
		if !utf8.ValidString(text) || !strings.Contains(text, `\n\"`) || !found {
			t.Errorf("the listener is told of: %v, in text: %v", found, utf8.ValidString(text))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
