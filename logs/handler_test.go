package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
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
			want := map[string]string{
				"json": `"level":"WARN","msg":"log records dropped","records":2,"bytes":`,
				"text": `level=WARN msg="log records dropped" records=2 bytes=`,
			}[name]
			if len(lines) != 2 || !strings.Contains(lines[0], "first") || !strings.Contains(lines[1], want) {
				t.Errorf("%q", lines)
			}
		})
	}
}
