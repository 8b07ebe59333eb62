//go:build linux

package debug_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// A browser is a headless Chromium that is driven by its DevTools protocol over two pipes.
type browser struct {
	t       *testing.T
	to      *os.File
	session string
	target  string

	mu      sync.Mutex
	id      int
	waiting map[int]chan *answer
	faults  []string // what the page has complained of: exceptions, errors on the console, refused loads
	gone    error
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// newBrowser starts Chromium with an empty page; RINGO_CHROMIUM names the program.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := os.Getenv("RINGO_CHROMIUM")
	if program == "" {
		t.Skip("RINGO_CHROMIUM names no browser; .ci/console gets one")
	}
	in, to := pipe(t)
	from, out := pipe(t)
	c := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe",
		"--user-data-dir="+profile(t))
	c.ExtraFiles = []*os.File{in, out}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, waiting: map[int]chan *answer{}}
	done := make(chan struct{})
	go func() { defer close(done); b.listen(from) }()
	t.Cleanup(func() {
		b.session = ""
		if _, err := b.call("Browser.close", nil); err != nil {
			c.Process.Kill()
		}
		c.Wait()
		to.Close()
		from.Close()
		<-done
	})
	b.open()
	return b
}

// profile is a folder for the browser, some of whose processes may write into it for a moment after its end.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ringo-console")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		socktest.Eventually(t, "the browser's folder is removed", func() bool { return os.RemoveAll(dir) == nil })
	})
	return dir
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func (b *browser) open() {
	b.t.Helper()
	var made struct{ TargetID string }
	b.must("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	b.target = made.TargetID
	var attached struct{ SessionID string }
	b.must("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.must(domain+".enable", nil, nil)
	}
}

// listen takes what Chromium says: answers, and events, of which those that tell of faults are kept.
func (b *browser) listen(from *os.File) {
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			b.gone = fmt.Errorf("the browser is gone: %w", err)
			for _, c := range b.waiting {
				close(c)
			}
			b.waiting = map[int]chan *answer{}
			b.mu.Unlock()
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			answer
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case m.ID != 0:
			if c := b.waiting[m.ID]; c != nil {
				delete(b.waiting, m.ID)
				c <- &m.answer
			}
		case m.Method == "Runtime.exceptionThrown", m.Method == "Log.entryAdded",
			m.Method == "Runtime.consoleAPICalled":
			b.faults = append(b.faults, m.Method+": "+string(m.Params))
		}
		b.mu.Unlock()
	}
}

// call sends a command and waits for its answer.
func (b *browser) call(method string, params any) (json.RawMessage, error) {
	if params == nil {
		params = map[string]any{}
	}
	c := make(chan *answer, 1)
	b.mu.Lock()
	if b.gone != nil {
		defer b.mu.Unlock()
		return nil, b.gone
	}
	b.id++
	id := b.id
	b.waiting[id] = c
	b.mu.Unlock()
	m := map[string]any{"id": id, "method": method, "params": params}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return nil, err
	}
	switch a, err := patience.Receive(c); {
	case err != nil:
		return nil, fmt.Errorf("%s: no answer: %w", method, err)
	case a == nil:
		return nil, b.gone
	case a.Error != nil:
		return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
	default:
		return a.Result, nil
	}
}

func (b *browser) must(method string, params, result any) {
	b.t.Helper()
	text, err := b.call(method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(text, result)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// eval gives the value of an expression in the page; a promise is waited for.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	if err := b.evaluate(expression, value); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) evaluate(expression string, value any) error {
	text, err := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true,
		"awaitPromise": true})
	if err != nil {
		return err
	}
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	if r.ExceptionDetails != nil {
		return fmt.Errorf("%s: %s", expression, r.ExceptionDetails)
	}
	if value == nil || r.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, value)
}

// await waits until an expression is true in the page.
func (b *browser) await(what, expression string) {
	b.t.Helper()
	if err := patience.Poll(nil, func() (ok bool) {
		if err := b.evaluate("Boolean("+expression+")", &ok); err != nil {
			b.t.Fatal(err)
		}
		return ok
	}); err != nil {
		var page string
		b.eval("document.body.innerText", &page)
		b.t.Fatalf("%s: %v: %s\nthe page:\n%s", what, err, expression, page)
	}
}

func (b *browser) load(url string) {
	b.t.Helper()
	b.must("Page.navigate", map[string]any{"url": url}, nil)
	b.await("the page", "document.readyState === 'complete' && location.href.startsWith("+quoted(url)+")")
}

// size makes the window so wide and high, in light or dark colours, as a phone's or not.
func (b *browser) size(width, height int, dark, phone bool) {
	b.t.Helper()
	b.must("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height,
		"deviceScaleFactor": 1, "mobile": phone}, nil)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.must("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// press presses a key, such as "j" or "Enter".
func (b *browser) press(key string) {
	b.t.Helper()
	event := map[string]any{"type": "keyDown", "key": key}
	if len(key) == 1 {
		event["text"] = key
	} else if key == "Enter" {
		event["text"], event["windowsVirtualKeyCode"] = "\r", 13
	}
	b.must("Input.dispatchKeyEvent", event, nil)
	event["type"] = "keyUp"
	delete(event, "text")
	b.must("Input.dispatchKeyEvent", event, nil)
}

// click clicks at an element as a mouse does.
func (b *browser) click(selector string) {
	b.t.Helper()
	var at struct{ X, Y float64 }
	b.eval("(() => { const e = document.querySelector("+quoted(selector)+"); e.scrollIntoView({block: 'center'}); "+
		"const r = e.getBoundingClientRect(); return {X: r.x + r.width/2, Y: r.y + r.height/2}; })()", &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.must("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left",
			"clickCount": 1}, nil)
	}
}

// shoot keeps a picture of what the window shows in the folder that RINGO_SHOTS names, if it does.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("RINGO_SHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	b.must("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(dir+"/"+name+".png", png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// complaints are the page's faults so far.
func (b *browser) complaints() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.faults, "\n")
}

// quoted is a text as JavaScript writes it.
func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
