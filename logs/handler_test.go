package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/slogtest"

	"ringo"
	"ringo/logs"
)

// TestHandler runs the standard library's suite for handlers.
func TestHandler(t *testing.T) {
	var out bytes.Buffer
	h := logs.NewJSONHandler(&out, nil, &logs.Config{Patience: patient})
	defer closed(t, h.Writer)
	err := slogtest.TestHandler(h, func() (all []map[string]any) {
		for text := range strings.Lines(out.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
}

// TestHandlerTellsOfDrops by a record in the handler's own form.
func TestHandlerTellsOfDrops(t *testing.T) {
	for name, open := range map[string]func(*gate) *logs.Handler{
		"json": func(g *gate) *logs.Handler {
			return logs.NewJSONHandler(g, nil, &logs.Config{Size: 4096, Patience: patient})
		},
		"text": func(g *gate) *logs.Handler {
			return logs.NewTextHandler(g, nil, &logs.Config{Size: 4096, Patience: patient})
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := newGate()
			h := open(out)
			logger := slog.New(h).With("name", name)
			inRun(t, 1, func(l *ringo.Loop) error {
				logger.Info("first", "text", strings.Repeat("x", 3000))
				logger.Info("second", "text", strings.Repeat("x", 3000))
				logger.Info("third", "text", strings.Repeat("x", 3000))
				close(out.open)
				return nil
			})
			closed(t, h.Writer)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			notice := regexp.MustCompile(map[string]string{
				"json": `"level":"WARN","msg":"log records dropped","records":([12]),"bytes":`,
				"text": `level=WARN msg="log records dropped" records=([12]) bytes=`,
			}[name])
			dropped := 0 // in one notice, or two where the goroutine came between
			for _, line := range lines[1:] {
				if n := notice.FindStringSubmatch(line); n != nil {
					dropped += int(n[1][0] - '0')
				} else {
					t.Errorf("a line that is no notice: %q", line)
				}
			}
			if !strings.Contains(lines[0], "first") || dropped != 2 {
				t.Errorf("%d told of as dropped, want 2: %q", dropped, lines)
			}
		})
	}
}
