//go:build linux

package debug_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// hostile is a task's name that would be run by a page that takes it for anything but text.
const hostile = `<img src=x onerror="hacked=1"><script>hacked=1</script>&amp;"'`

const idleConns, busyConns = 12, 4

// busyServer serves connections, some of which are busy, with a task that has a hostile name, and one that has held
// its loop. It ends with the test.
func busyServer(t *testing.T) {
	t.Helper()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, held := make(chan error, 1), make(chan bool)
	go func() {
		ended <- ringo.Run(ctx, &ringo.Config{Loops: 2, Grace: -1}, func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			if l.Index() == 0 {
				l.GoNamed(hostile, func() { l.Sleep(time.Hour) })
				l.GoNamed("holder", func() {
					for len(l.Holds()) == 0 {
						known := make(chan bool)
						go func() { awaitHeld(l); close(known) }()
						<-known // the loop stands still meanwhile
						l.Yield()
					}
					close(held)
				})
			}
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				l.GoNamed("echo conn", func() { defer c.Close(); io.Copy(c, c) })
			}
		})
	}()
	var clients sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		clients.Wait()
		set.Close()
	})
	patience.Recv(t, "a hold", held)
	for n := range idleConns + busyConns {
		c, err := net.Dial("tcp", set.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if n >= idleConns {
			clients.Go(func() {
				p := make([]byte, 64)
				for ctx.Err() == nil {
					if _, err := c.Write(p); err != nil {
						return
					}
					if _, err := io.ReadFull(c, p); err != nil {
						return
					}
				}
			})
		}
	}
}

// awaitHeld returns when it is known that something holds the loop.
func awaitHeld(l *ringo.Loop) { patience.Poll(nil, func() bool { return l.Stats().Held > 0 }) }

// cells gives the texts of some columns of a table of the page, row by row.
func (b *browser) cells(table string, columns ...string) (rows [][]string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`[...document.querySelectorAll('[data-table="%s"] tbody tr')].map(tr => %s.map(
		c => [...tr.cells].find(td => td.dataset.col === c).textContent))`, table, jsList(columns)), &rows)
	return rows
}

func jsList(texts []string) string {
	var all []string
	for _, s := range texts {
		all = append(all, quoted(s))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// agree waits until the page shows what the API says at the same time.
func (b *browser) agree(what string, shown func() any, said func() any) {
	b.t.Helper()
	var page, api any
	if err := patience.Poll(nil, func() bool {
		page, api = shown(), said()
		return reflect.DeepEqual(page, api)
	}); err != nil {
		b.t.Fatalf("%s: %v: the page shows\n%v\nand the API says\n%v", what, err, page, api)
	}
}

// show clicks a view's tab, and waits until it is there.
func (b *browser) show(view string) {
	b.t.Helper()
	b.click("nav [data-view=" + view + "]")
	b.await(view, "document.getElementById('view').dataset.view === "+quoted(view)+
		" && document.querySelector('nav [aria-current]').dataset.view === "+quoted(view)+
		" && document.querySelector('#view table tbody tr, #view .card')")
}

// rowsOf gives some fields of the rows that the API lists, as the page writes them.
func rowsOf(t *testing.T, url, list string, fields ...string) [][]string {
	t.Helper()
	rows := [][]string{} // as the page's list that has none
	var a map[string]any
	if code := fetch(t, url, &a); code != 200 {
		t.Fatalf("%s: %d: %v", url, code, a)
	}
	for _, r := range a[list].([]any) {
		var row []string
		for _, f := range fields {
			text := ""
			if v := r.(map[string]any)[f]; v != nil {
				text = fmt.Sprint(v)
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return rows
}

func sortedRows(rows [][]string) [][]string {
	slices.SortFunc(rows, slices.Compare)
	return rows
}

// A server under load, in a browser: each view shows what the API says, by mouse and by keys, on a phone, in light and
// dark; what a program calls its tasks is text; and nothing in the page complains.
func TestInBrowser(t *testing.T) {
	b := newBrowser(t)
	busyServer(t)
	page := console(t).URL + "/debug/ringo/"
	api := page + "api/"
	b.size(1280, 860, false, false)
	b.load(page)
	b.await("answers", "document.getElementById('said').textContent === 'live' && state.past.length > 2")

	b.run(t, "loops", func(t *testing.T) {
		b.agree("the loops' tasks", func() any {
			shown := map[string]string{}
			b.eval(`Object.fromEntries([...document.querySelectorAll('[data-loop]')].map(
				c => [c.dataset.loop, c.querySelector('[data-fact=tasks]').textContent]))`, &shown)
			return shown
		}, func() any {
			said := map[string]string{}
			for _, l := range ringo.Loops() {
				said[fmt.Sprintf("%d.%d", l.Info().Run, l.Index())] = fmt.Sprint(l.Stats().Tasks)
			}
			return said
		})
		b.await("turns a second", "parseFloat(document.querySelector('[data-tile=turns] .value').textContent) > 0")
		b.await("a histogram", "document.querySelectorAll('.hist rect').length > 2")
	})

	b.run(t, "a program that is started again", func(t *testing.T) {
		for _, change := range []string{"pid: 0", "up: 0"} { // in a container each has the same number
			var kept int
			b.eval(`(() => {
				state.probe = {};
				const a = last(state.past);
				remember({ ...a, process: { ...a.process, `+change+` } });
				return state.past.length + (state.probe ? 1 : 0);
			})()`, &kept)
			if kept != 1 {
				t.Errorf("%s: the page keeps %d answers, want the last", change, kept)
			}
		}
	})

	b.run(t, "tasks", func(t *testing.T) {
		b.show("tasks")
		var hacked bool
		b.await("the hostile name", "[...document.querySelectorAll('[data-table=tasks] td')].some("+
			"td => td.textContent === "+quoted(hostile)+")")
		b.eval("typeof hacked !== 'undefined' || document.querySelectorAll('#view img, #view script').length > 0",
			&hacked)
		if hacked {
			t.Error("a task's name has become part of the page")
		}
		b.press("/")
		b.await("the filter has the keys", "document.activeElement.id === 'filter'")
		for _, key := range "img" {
			b.press(string(key))
		}
		b.press("Escape")
		b.await("the filter has left the keys", "document.activeElement.id !== 'filter' && "+
			"document.getElementById('filter').value === 'img'")
		b.agree("filtered tasks", func() any { return b.cells("tasks", "loop", "task", "runs") },
			func() any { return rowsOf(t, api+"tasks?filter=img", "tasks", "loop", "id", "name") })
		b.eval("(() => { const f = document.getElementById('filter'); f.value = ''; "+
			"f.dispatchEvent(new Event('input')); })()", nil)
		b.agree("tasks", func() any { return sortedRows(b.cells("tasks", "loop", "task")) },
			func() any { return sortedRows(rowsOf(t, api+"tasks", "tasks", "loop", "id")) })
		b.click("th[data-sort=id] button")
		b.agree("tasks by number", func() any { return b.cells("tasks", "task") },
			func() any { return rowsOf(t, api+"tasks?sort=id", "tasks", "id") })
		b.press("r")
		b.agree("tasks by number, the other way", func() any { return b.cells("tasks", "task") },
			func() any { return rowsOf(t, api+"tasks?sort=-id", "tasks", "id") })
		b.press("j")
		b.press("Enter")
		b.await("all of a task", "document.querySelector('.detail dl') && "+
			"document.querySelector('.detail dl').textContent.includes('stack')")
		b.press("Escape")
		b.await("no detail", "!document.querySelector('.detail')")
		b.agree("groups", func() any { return sum(b.cells("groups", "tasks")) },
			func() any { return total(t, api+"tasks") })
	})

	b.run(t, "connections", func(t *testing.T) {
		b.show("handles")
		columns := []string{"loop", "fd", "local", "peer", "state"}
		fields := []string{"loop", "fd", "local", "remote", "state"}
		b.agree("handles", func() any { return sortedRows(b.cells("handles", columns...)) },
			func() any { return sortedRows(rowsOf(t, api+"handles", "handles", fields...)) })
		if n := total(t, api+"handles"); n != idleConns+busyConns+2 {
			t.Errorf("%d handles, want %d connections and 2 listeners", n, idleConns+busyConns)
		}
		b.click("th[data-sort=fd] button")
		b.agree("handles by descriptor", func() any { return b.cells("handles", "fd") },
			func() any { return rowsOf(t, api+"handles?sort=fd", "handles", "fd") })
		loop := rowsOf(t, api+"handles", "handles", "loop")[0][0]
		b.eval("(() => { const s = document.getElementById('loop'); s.value = "+quoted(loop)+"; "+
			"s.dispatchEvent(new Event('change')); })()", nil)
		b.agree("one loop's", func() any { return sortedRows(b.cells("handles", columns...)) },
			func() any { return sortedRows(rowsOf(t, api+"handles?loop="+loop, "handles", fields...)) })
		b.eval("(() => { const s = document.getElementById('loop'); s.value = ''; "+
			"s.dispatchEvent(new Event('change')); })()", nil)
	})

	b.run(t, "operations", func(t *testing.T) {
		b.show("ops")
		b.agree("operations", func() any { return sortedRows(b.cells("ops", "loop", "fd")) },
			func() any { return sortedRows(rowsOf(t, api+"ops", "ops", "loop", "fd")) })
	})

	b.run(t, "lanes", func(t *testing.T) {
		b.show("lanes")
		b.agree("lanes", func() any {
			var names []string
			b.eval(`[...document.querySelectorAll('[data-table^=lanes] tbody tr')].map(
				tr => tr.cells[0].textContent)`, &names)
			return names
		}, func() any {
			var names []string
			for _, lane := range ringo.Loops()[0].Stats().Lanes {
				names = append(names, lane.Name)
			}
			return names
		})
		b.agree("pools", func() any { return sum(b.cells("pools", "tasks")) },
			func() any { return total(t, api+"tasks") })
	})

	b.run(t, "holds", func(t *testing.T) {
		b.show("holds")
		b.agree("holds", func() any { return sortedRows(b.cells("holds", "loop", "state", "times")) },
			func() any { return sortedRows(rowsOf(t, api+"holds", "holds", "loop", "state", "times")) })
		b.await("the holder", "document.querySelector('[data-table=holds] tbody').textContent.includes('receive')")
	})

	b.run(t, "driver", func(t *testing.T) {
		b.show("driver")
		info := ringo.Loops()[0].Info()
		b.await("the reason", "document.getElementById('view').textContent.includes("+quoted(info.Reason)+")")
		b.await("the probe", "document.getElementById('view').textContent.includes('io_uring offers here')")
		b.agree("ways", func() any { return b.cells("ways", "operation", "way") }, func() any {
			rows := [][]string{} // but for io_uring there are none
			for _, w := range info.Ways {
				rows = append(rows, []string{w.Op, w.Way})
			}
			return rows
		})
	})

	b.run(t, "keys", func(t *testing.T) {
		for n, view := range []string{"loops", "tasks", "handles", "ops", "lanes", "holds", "driver"} {
			b.press(fmt.Sprint(n + 1))
			b.await("key to "+view, "document.getElementById('view').dataset.view === "+quoted(view))
		}
		b.press("?")
		b.await("the keys' list", "document.getElementById('keys').open")
		b.press("Enter")
		b.await("the list is closed", "!document.getElementById('keys').open")
		b.press("p")
		b.await("paused", "document.getElementById('said').textContent === 'paused'")
		b.press("p")
		b.await("live again", "document.getElementById('said').textContent === 'live'")
	})

	b.run(t, "colours", func(t *testing.T) {
		var light, dark string
		const paper = "getComputedStyle(document.body).backgroundColor"
		b.eval(paper, &light)
		b.size(1280, 860, true, false)
		b.press("t") // at once, before the page is told of the system's colours
		b.await("light as before, though the system is dark", paper+" === "+quoted(light))
		b.press("t")
		b.await("dark", paper+" !== "+quoted(light))
		b.eval(paper, &dark)
		b.size(1280, 860, false, false)
		b.press("t")
		b.await("light, as the system is", paper+" === "+quoted(light))
		b.press("t")
		b.await("dark, though the system is light", paper+" === "+quoted(dark))
	})

	b.run(t, "phone", func(t *testing.T) {
		b.size(390, 844, false, true)
		for _, view := range []string{"loops", "tasks", "handles", "ops", "lanes", "holds", "driver"} {
			b.show(view)
			var width, tallest int
			b.eval("document.documentElement.scrollWidth", &width)
			b.eval("Math.max(0, ...[...document.querySelectorAll('#view tr')].map(r => r.offsetHeight))", &tallest)
			if width > 390 {
				t.Errorf("%s is %d wide", view, width)
			}
			b.shoot("phone-" + view)
		}
	})
	if faults := b.complaints(); faults != "" {
		t.Error("the page complains:", faults)
	}
}

// run is t.Run; what fails in the page fails there.
func (b *browser) run(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(part *testing.T) {
		b.t = part
		defer func() { b.t = t }()
		f(part)
	})
}

func total(t *testing.T, url string) int {
	t.Helper()
	var a struct{ Total int }
	fetch(t, url, &a)
	return a.Total
}

// sum adds the numbers of a column.
func sum(rows [][]string) (n int) {
	for _, r := range rows {
		var k int
		fmt.Sscan(strings.ReplaceAll(r[0], ",", ""), &k)
		n += k
	}
	return n
}

// Fifty thousand tasks: the page has two hundred rows, and says how many there are.
func TestManyTasksInBrowser(t *testing.T) {
	const many = 50000
	b := newBrowser(t)
	l := parkedTasks(t, many)
	b.load(console(t).URL + "/debug/ringo/#tasks")
	b.await("all tasks", "document.querySelector('[data-table=groups]') && "+
		"[...document.querySelectorAll('[data-table=groups] td')].some(td => td.textContent === '50,000')")
	if rows := len(b.cells("tasks", "task")); rows != 200 {
		t.Errorf("%d rows of %d tasks", rows, l.Stats().Tasks)
	}
}

// The page says that a loop is held, in the lamp and on the loop's card, and no more once it goes on.
func TestHeldLoopInBrowser(t *testing.T) {
	b := newBrowser(t)
	onGoroutine(t, ringo.Config{Loops: 1}, func(l *ringo.Loop) {
		hold, held := make(chan bool), make(chan bool)
		l.Go(func() { close(held); <-hold })
		<-held
		b.load(console(t).URL + "/debug/ringo/")
		b.await("the lamp is red", "document.getElementById('lamp').className === 'held' && "+
			"/held for .* by .*TestHeldLoopInBrowser/.test(document.getElementById('said').textContent)")
		b.await("the card says so", "/blocked in receive/.test(document.querySelector('.card .held').textContent)")
		b.await("a load", "parseFloat(document.querySelector('[data-tile=load] .value').textContent) > 50")
		close(hold)
		b.await("the lamp is green", "document.getElementById('said').textContent === 'live' && "+
			"!document.querySelector('.card .held')")
	})
}
