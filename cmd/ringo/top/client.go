package top

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client asks a console for its answers, and keeps the last ones.
type client struct {
	url         string
	now, before *loops
	list        answer
}

// loops is the answer of api/loops, as far as it is shown.
type loops struct {
	Now     time.Time
	Process struct {
		Name       string
		PID        int
		Go         string
		Goroutines int
		Memory     uint64
		Up         int64
	}
	Loops []oneLoop
	Lanes map[string][]row
}

type oneLoop struct {
	Loop  string
	Info  struct{ Name string }
	Held  *struct{ Task, At, In, State string } // the task that holds the loop
	Stats struct {
		Turns, Parks, Mails, Stalls    uint64
		InTasks, Longest, Recent, Held int64
		Tasks, Slots, Buffers, Workers int
		TurnTimes                      struct{ Buckets [][2]uint64 }
		Driver                         struct{ Completions uint64 }
	}
}

// row is an entry of a list, answer the answer with the list.
type (
	row    map[string]any
	answer map[string]any
)

// answerMax bounds an answer, in bytes; no console sends more.
const answerMax = 16 << 20

// usualPath is where programs mount a console beside other pages.
const usualPath = "debug/ringo/"

// find looks for the console at the URL of the command line and, if there is none and the URL has no path, at
// usualPath.
func (c *client) find(ctx context.Context) error {
	err := c.knows(ctx)
	if at, wrong := url.Parse(c.url); err == nil || wrong != nil || at.Path != "/" {
		return err
	}
	if usual := (&client{url: c.url + usualPath}); usual.knows(ctx) == nil {
		c.url = usual.url
		return nil
	}
	return err
}

// knows returns nil if the API of a console answers at the client's URL.
func (c *client) knows(ctx context.Context) error {
	a := new(loops)
	if err := c.get(ctx, "loops", nil, a); err != nil {
		return err
	}
	if a.Now.IsZero() {
		return fmt.Errorf("%s is no console's: the answer has no time", c.url)
	}
	return nil
}

// ask gets what the view shows, with up to rows rows of its list.
func (c *client) ask(ctx context.Context, v *view, rows int) error {
	now := new(loops)
	if err := c.get(ctx, "loops", nil, now); err != nil {
		return err
	}
	c.before, c.now = c.now, now
	l := &lists[v.list]
	if l.name == "lanes" {
		return nil
	}
	q := url.Values{}
	if len(l.sorts) > 0 {
		q.Set("n", fmt.Sprint(rows))
		q.Set("sort", v.sort())
	}
	c.list = nil
	return c.get(ctx, l.api, q, &c.list)
}

func (c *client) get(ctx context.Context, name string, q url.Values, to any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	at := c.url + "api/" + name
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("no console answers: %w", err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, answerMax))
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return fmt.Errorf("%s is no console's: the answer is %q, %s", c.url, kind, a.Status)
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.200s", at, a.Status, text)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s is no console's: %w", c.url, err)
	}
	return nil
}
