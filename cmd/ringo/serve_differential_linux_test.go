//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// twins are ringo serve and http.FileServer on the same directory.
type twins struct {
	ours, theirs net.Conn
	r, q         *bufio.Reader
}

// tagger gives http.FileServer's answers the entity tags of ringo serve, which it has none of.
func tagger(dir string) http.Handler {
	next := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Join(dir, filepath.Clean("/"+r.URL.Path))
		info, err := os.Stat(name)
		if err == nil && info.IsDir() {
			info, err = os.Stat(filepath.Join(name, "index.html"))
		}
		if err == nil {
			w.Header().Set("ETag", tagOf(info))
		}
		next.ServeHTTP(w, r)
	})
}

func tagOf(info os.FileInfo) string {
	return `"` + strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36) + `"`
}

func newTwins(t *testing.T, dir, driver string) *twins {
	_, addr := startServe(t, dir, "-driver", driver, "-list")
	their := httptest.NewServer(tagger(dir))
	t.Cleanup(their.Close)
	w := &twins{ours: dial(t, addr), theirs: dial(t, their.Listener.Addr().String())}
	w.r, w.q = bufio.NewReader(w.ours), bufio.NewReader(w.theirs)
	return w
}

// compare sends a request to both and wants the same answer.
func (w *twins) compare(t *testing.T, method, text string) {
	t.Helper()
	io.WriteString(w.ours, text)
	io.WriteString(w.theirs, text)
	a, body, err := readAnswer(w.r, method)
	b, want, werr := readAnswer(w.q, method)
	if err != nil || werr != nil {
		t.Fatalf("%q: %v; FileServer %v", text, err, werr)
	}
	if a.StatusCode != b.StatusCode || a.Close != b.Close || a.Proto != b.Proto {
		t.Fatalf("%q: %s %s, close %v; FileServer %s %s, close %v", text, a.Proto, a.Status, a.Close,
			b.Proto, b.Status, b.Close)
	}
	names := []string{"Last-Modified", "Etag", "Accept-Ranges", "Content-Range", "Content-Type",
		"X-Content-Type-Options"}
	mediaType, params, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	parted := a.StatusCode == http.StatusPartialContent && strings.HasPrefix(mediaType, "multipart/")
	if parted {
		names = names[:4]
		_, wanted, _ := mime.ParseMediaType(b.Header.Get("Content-Type"))
		if method == "GET" {
			body, want = partsOf(t, body, params["boundary"]), partsOf(t, want, wanted["boundary"])
		}
	} else if !(method == "HEAD" && a.StatusCode >= 300) && a.ContentLength != b.ContentLength && b.ContentLength >= 0 {
		t.Errorf("%q: length %d; FileServer %d", text, a.ContentLength, b.ContentLength)
	}
	if a.StatusCode == http.StatusNotFound || a.StatusCode == http.StatusMovedPermanently { // tagger tags them, too
		names = names[2:]
	}
	for _, name := range names {
		if got, want := a.Header.Get(name), b.Header.Get(name); got != want {
			t.Errorf("%q: %s is %q; FileServer %q", text, name, got, want)
		}
	}
	if got, want := location(t, a), location(t, b); got != want {
		t.Errorf("%q: Location is %q; FileServer %q", text, got, want)
	}
	if body != want {
		t.Errorf("%q: %d bytes %.80q; FileServer %d bytes %.80q", text, len(body), body, len(want), want)
	}
}

// location is where an answer sends the client, whose path is /x/y.
func location(t *testing.T, a *http.Response) string {
	to := a.Header.Get("Location")
	if to == "" {
		return ""
	}
	base := &url.URL{Scheme: "http", Host: "h", Path: "/x/y"}
	u, err := base.Parse(to)
	if err != nil {
		t.Errorf("Location %q: %v", to, err)
		return to
	}
	return u.String()
}

func partsOf(t *testing.T, body, boundary string) (all string) {
	t.Helper()
	for r := multipart.NewReader(strings.NewReader(body), boundary); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		text, err := io.ReadAll(p)
		all += fmt.Sprintf("%v %q %v\n", p.Header, text, err)
	}
}

// differentials is the directory of the comparisons, and the paths in it that are asked for.
func differentials(t *testing.T) (dir string, paths []string) {
	dir = site(t, map[string]string{
		"page.html": "<p>page", "index.html": "<p>index", "dir/index.html": "<p>dir", "bare/a": "a",
		"bare/<b> c?#": "b", "bare/d/e": "e", "empty.txt": "", "one": "1", "text.txt": numbered(1000),
		"noext": "plain words", "image": "\x89PNG\x0D\x0A\x1A\x0A", "binary": "\x00\x01\x02",
		"chunk.bin": numbered(64 << 10), "more.bin": numbered(3*64<<10 + 77), "style.css": "p {}",
		"a b.txt": "blank", "üñ.txt": "letters", ".hidden": "dots", "unix.epoch": "0", "colon:name/index.html": "c",
	})
	return dir, []string{
		"/page.html", "/", "/index.html", "/dir", "/dir/", "/dir/index.html", "/bare/", "/bare", "/bare/a",
		"/bare/%3Cb%3E%20c%3F%23", "/empty.txt", "/one", "/text.txt", "/noext", "/image", "/binary", "/chunk.bin",
		"/more.bin", "/style.css", "/a%20b.txt", "/%C3%BC%C3%B1.txt",
		"/.hidden", "/unix.epoch", "/nothing", "/nothing/", "/one/", "/one/x", "/dir/../one", "//one", "/./one",
		"/one?query=1", "/dir?a=b", "/page.html/",
		"/%6Fne", "/bare/../../one", "/..", "/one%00", "/text.txt%2f", "http://h/one",
	}
}

// TestServeLikeFileServer: each path gets the answer of http.FileServer, whatever the
// conditions and ranges.
func TestServeLikeFileServer(t *testing.T) {
	dir, paths := differentials(t)
	eachDriver(t, func(t *testing.T, driver string) {
		w := newTwins(t, dir, driver)
		for _, path := range paths {
			for _, method := range []string{"GET", "HEAD"} {
				w.compare(t, method, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, path))
			}
		}
		info, err := os.Stat(filepath.Join(dir, "text.txt"))
		if err != nil {
			t.Fatal(err)
		}
		fields := conditions(tagOf(info))
		for _, line := range fields {
			w.compare(t, "GET", "GET /text.txt HTTP/1.1\r\nHost: h\r\n"+line+"\r\n\r\n")
			w.compare(t, "GET", "GET /empty.txt HTTP/1.1\r\nHost: h\r\n"+line+"\r\n\r\n")
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for range 1500 {
			method, path := []string{"GET", "HEAD"}[random.IntN(2)], paths[random.IntN(len(paths))]
			if random.IntN(2) == 0 {
				path = []string{"/text.txt", "/more.bin", "/chunk.bin"}[random.IntN(3)]
			}
			text := method + " " + path + " HTTP/1.1\r\nHost: h\r\n"
			for range random.IntN(4) {
				text += fields[random.IntN(len(fields))] + "\r\n"
			}
			w.compare(t, method, text+"\r\n")
		}
	})
}

// conditions are header fields about which the answers may differ.
func conditions(tag string) (all []string) {
	dates := []string{"Thu, 06 May 2021 07:08:09 GMT", "Thu, 06 May 2021 07:08:08 GMT", "Thu, 06 May 2021 07:08:10 GMT",
		"Thursday, 06-May-21 07:08:09 GMT", "Thu May  6 07:08:09 2021", "yesterday", ""}
	tags := []string{tag, "W/" + tag, `"x"`, `"x", ` + tag, `"x",, W/` + tag + " ,", "*", `"x`, "x", `W/"x", *`, ""}
	for _, name := range []string{"If-Modified-Since", "If-Unmodified-Since", "If-Range"} {
		for _, date := range dates {
			all = append(all, name+": "+date)
		}
	}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Range"} {
		for _, tag := range tags {
			all = append(all, name+": "+tag)
		}
	}
	for _, r := range []string{"0-0", "0-", "-1", "-0", "5-9", "999-999", "999-", "1000-", "1000-2000", "0-999",
		"0-1000", "9-5", "-", "a-b", "0-0,-1", "1-2,4-5,7-9", "0-499,400-999", "0-,0-", "0-0,1000-", "2000-,3000-",
		" 1-2 , 3-4 ", ",,1-1,", "65535-65536", "65536-131071", "1-196607", "-100000", "--5", "+1-+2",
		"99999999999999999999-", "0-99999999999999999999", "1 - 2", ""} {
		all = append(all, "Range: bytes="+r)
	}
	return append(all, "Range: lines=1-2", "Range: bytes", "range: BYTES=0-1")
}
