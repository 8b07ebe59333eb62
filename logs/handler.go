package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"
)

// A Handler is a log/slog handler that writes to a Writer. Handle formats the record before it returns, so values in
// the record may change afterwards. It waits no longer than Write, which during a Run does not wait. Tasks of any loop
// and any goroutine may use it.
type Handler struct {
	slog.Handler
	*Writer
}

// NewJSONHandler makes a Handler that writes JSON to out, as slog.NewJSONHandler does. Dropped records are reported by
// a record, "log records dropped", with their number and bytes.
func NewJSONHandler(out io.Writer, opts *slog.HandlerOptions, cfg *Config) *Handler {
	return newHandler(out, cfg, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, opts) })
}

// NewTextHandler makes a Handler that writes lines of key=value to out, as slog.NewTextHandler does; otherwise it is
// like NewJSONHandler.
func NewTextHandler(out io.Writer, opts *slog.HandlerOptions, cfg *Config) *Handler {
	return newHandler(out, cfg, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, opts) })
}

func newHandler(out io.Writer, cfg *Config, format func(io.Writer) slog.Handler) *Handler {
	c := cfg.resolve()
	if cfg == nil || cfg.Dropped == nil {
		c.Dropped = func(writes, size uint64) []byte {
			var b bytes.Buffer
			r := slog.NewRecord(time.Now(), slog.LevelWarn, "log records dropped", 0)
			r.AddAttrs(slog.Uint64("records", writes), slog.Uint64("bytes", size))
			if err := format(&b).Handle(context.Background(), r); err != nil {
				return inEnglish(writes, size)
			}
			return b.Bytes()
		}
	}
	w := NewWriter(out, &c)
	return &Handler{format(w), w}
}
