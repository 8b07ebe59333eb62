package sockhttp

import (
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"ringo"
	"ringo/internal/race"
)

// The end of a head is found wherever its bytes are cut, and no byte is looked at much more than once.
func TestHeadEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString([]string{"a", "\n", "\r\n", "\r", "bc"}[r.IntN(5)])
		}
		text := b.String()
		want := len(text)
		for _, end := range []string{"\n\n", "\n\r\n"} {
			if i := strings.Index(text, end); i >= 0 {
				want = min(want, i+len(end))
			}
		}
		whole := want < len(text) || strings.HasSuffix(text, "\n\n") || strings.HasSuffix(text, "\n\r\n")
		from, end := 0, 0
		for n := 1; n <= len(text) && end == 0; n++ {
			end, from = headEnd([]byte(text[:n]), from)
			if end == 0 && n-from > 2 {
				t.Fatalf("%q: of %d bytes a later look begins at %d", text, n, from)
			}
		}
		if whole && end != want || !whole && end != 0 {
			t.Fatalf("%q ends at %d, want %d (whole: %v)", text, end, want, whole)
		}
	}
}

// A head costs its lines, and nothing more for the lines that there are beside or before them.
func TestHeadsCostTheirLines(t *testing.T) {
	if race.Enabled {
		t.Skip("what is allocated is more with -race")
	}
	parse := func(line string) func(n int) {
		return func(n int) {
			m := &memory{text: "GET / HTTP/1.1\r\nHost: a\r\nA: x\n" + strings.Repeat(line, n) + "\r\n"}
			if _, err := parseHead(m, &http.Request{URL: new(url.URL)}); err != nil {
				t.Error(err)
			}
		}
	}
	fields := func(name, value string) func(n int) {
		return func(n int) {
			list := make([]hpack.HeaderField, n)
			for i := range list {
				list[i] = hpack.HeaderField{Name: name, Value: value}
			}
			if why := new(server2).makeHeader(new(http.Request), list); why != "" {
				t.Error(why)
			}
		}
	}
	const appended = 6 * 16 // slices of strings grow by a quarter
	for _, c := range []struct {
		name  string
		of    func(n int)
		bytes int // of each line, at most
	}{
		{"folds", parse(" y\n"), 4 + 5*2 + 4},
		{"folds of blanks", parse(" \n"), 4 + 5 + 4},
		{"lines of one field", parse("A:\n"), 4 + appended + 4},
		{"lists", parse("Connection: x,y\n"), 16 + appended + 8},
		{"fields of HTTP/2", fields("accept", ""), 40 + appended + 4},
		{"cookies of HTTP/2", fields("cookie", "a"), 40 + appended + 3 + 4},
	} {
		const n = 4000
		once, twice := allocatedBy(func() { c.of(n) }), allocatedBy(func() { c.of(2 * n) })
		if once > n*c.bytes || twice > 2*n*c.bytes {
			t.Errorf("%s: %d bytes for %d lines, %d for twice as many, want %d each at most", c.name, once, n, twice,
				c.bytes)
		}
	}
}

// allocatedBy returns how many bytes f allocates: the least of several calls, since others allocate beside it.
func allocatedBy(f func()) int {
	least := uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range 5 {
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return int(least)
}

// lists is a side that takes lists of fields.
type lists struct {
	side2
	n []int
}

func (l *lists) takeBlock(b *block2) error {
	l.n = append(l.n, len(b.fields))
	return nil
}

// Behind a head a connection of HTTP/2 keeps none of its texts, and no memory for many.
func TestHTTP2HeadIsNotKept(t *testing.T) {
	for _, n := range []int{3, 100 * fieldsMax} {
		var l lists
		var h conn2
		h.init(&l, nil, nil, limits2{table: 4096, encoderTable: 4096, list: 1 << 20})
		var p strings.Builder
		e := hpack.NewEncoder(&p)
		for range n {
			e.WriteField(hpack.HeaderField{Name: "a", Value: "b"})
		}
		f := &frame{kind: frameHeaders, flags: flagEndHeaders, id: 1, payload: []byte(p.String())}
		if err := h.takeHead(f); err != nil || len(l.n) != 1 || l.n[0] != n {
			t.Fatalf("%d fields: took %d, %v", n, l.n, err)
		}
		left := h.block.fields
		if len(left) > 0 || (cap(left) > 0) != (n < fieldsMax) {
			t.Errorf("%d fields: %d are kept, of %d", n, len(left), cap(left))
		}
		for _, f := range left[:cap(left)] {
			if f != (hpack.HeaderField{}) {
				t.Errorf("%d fields: %v is kept", n, f)
			}
		}
	}
}

// Nor is it kept of the head of a request that is sent.
func TestHTTP2RequestHeadIsNotKept(t *testing.T) {
	if race.Enabled {
		t.Skip("a sync.Pool forgets at random with -race")
	}
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.Protocols = p
	s.Start()
	defer s.Close()
	runTask(t, func(l *ringo.Loop) {
		tr := &Transport{Protocols: p}
		defer tr.CloseIdleConnections()
		for _, n := range []int{3, 100 * fieldsMax} {
			r, err := http.NewRequest("GET", s.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header["X"] = make([]string, n)
			a, err := tr.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			a.Body.Close()
			list := *heads2.Get().(*[]hpack.HeaderField)
			if cap(list) > fieldsMax {
				t.Errorf("%d fields: memory for %d is kept", n, cap(list))
			}
			for _, f := range list[:cap(list)] {
				if f != (hpack.HeaderField{}) {
					t.Errorf("%d fields: %v is kept", n, f)
				}
			}
		}
	})
}
