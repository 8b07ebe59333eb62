package sockhttp_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
)

// compressed is a site with siblings. What is in them is not compressed: nobody here undoes that.
var compressed = map[string]string{
	"app.js": numbered(1000), "app.js.br": "brotli of app.js", "app.js.zst": "zstd of app.js",
	"app.js.gz": "gzip of app.js", "one.css": "one", "one.css.gz": "gzip of one.css", "none.css": "none",
	"empty.txt": "", "empty.txt.gz": "gzip of nothing",
	"void.txt": "void", "void.txt.gz": "", "large.txt": numbered(500_000), "large.txt.gz": numbered(300_001),
	"index.html": "<p>index", "index.html.br": "brotli of index", "sniffed": "<html>page", "sniffed.gz": "\x1f\x8bgzip",
	"twice.gz": "gzip", "twice.gz.gz": "gzip of gzip", "old.css": "new", "old.css.gz": "gzip of old.css",
	"dir/f.js": "f", "dir.gz/f": "f", "dir": "", "taken.css": "taken", "taken.css.gz/f": "f",
}

// compressedSite makes the site, with a sibling that is older than its original by the least time.
func compressedSite(t *testing.T) string {
	files := make(map[string]string)
	for name, content := range compressed {
		if name != "dir" {
			files[name] = content
		}
	}
	dir := site(t, files)
	before := epoch.Add(-time.Nanosecond)
	if err := os.Chtimes(filepath.Join(dir, "old.css.gz"), before, before); err != nil {
		t.Fatal(err)
	}
	return dir
}

var allEndings = []string{"br", "zst", "gz"}

// eachProtocol runs f with a client of HTTP/1 and 2 and a server of files, in each way, on each driver. The client does
// not ask for codings by itself.
func eachProtocol(t *testing.T, h http.Handler, f func(t *testing.T, client *http.Client, url string)) {
	t.Helper()
	t.Run("HTTP/1", func(t *testing.T) {
		eachWay(t, h, nil, func(t *testing.T, addr string) {
			tr := &http.Transport{DisableCompression: true}
			defer tr.CloseIdleConnections()
			f(t, &http.Client{Transport: tr}, "http://"+addr)
		})
	})
	t.Run("HTTP/2", func(t *testing.T) {
		each2(t, h, nil, func(t *testing.T, _ *sockhttp.Server, url string, config *tls.Config) {
			client, _ := client2(t, config, nil)
			client.Transport.(*http.Transport).DisableCompression = true
			f(t, client, url)
		})
	})
}

// answerTo asks with the fields, and gives the answer and its body.
func answerTo(t *testing.T, client *http.Client, method, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	a, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s %q: %v", method, url, fields, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s %q: %v", method, url, fields, err)
	}
	return a, string(body)
}

// TestPrecompressed: a client gets the sibling that it wants most, with what there is to say of it, and all else as it
// would be without siblings.
func TestPrecompressed(t *testing.T) {
	files := &sockhttp.Files{Root: openRoot(t, compressedSite(t)), Precompressed: allEndings, Fresh: time.Hour}
	t.Cleanup(files.Close)
	const all = "Accept-Encoding: gzip, deflate, br, zstd"
	eachProtocol(t, files, func(t *testing.T, client *http.Client, url string) {
		for _, c := range []struct{ path, accept, name, coding, kind string }{
			{"/app.js", "", "app.js", "", "javascript"},
			{"/app.js", "Accept-Encoding: identity", "app.js", "", "javascript"},
			{"/app.js", "Accept-Encoding: gzip;q=", "app.js", "", "javascript"},
			{"/app.js", all, "app.js.br", "br", "javascript"},
			{"/app.js", "Accept-Encoding: *", "app.js.br", "br", "javascript"},
			{"/app.js", "Accept-Encoding: gzip", "app.js.gz", "gzip", "javascript"},
			{"/app.js", "Accept-Encoding: gzip, zstd;q=0.5", "app.js.gz", "gzip", "javascript"},
			{"/app.js", "Accept-Encoding: zstd;q=0.3, br;q=0.2", "app.js.zst", "zstd", "javascript"},
			{"/one.css", all, "one.css.gz", "gzip", "css"},
			{"/one.css", "Accept-Encoding: br", "one.css", "", "css"},
			{"/one.css", "Accept-Encoding: br, *;q=0", "one.css", "", "css"},
			{"/none.css", all, "none.css", "", "css"},
			{"/empty.txt", all, "empty.txt.gz", "gzip", "plain"},
			{"/void.txt", all, "void.txt.gz", "gzip", "plain"},
			{"/large.txt", all, "large.txt.gz", "gzip", "plain"},
			{"/large.txt", "", "large.txt", "", "plain"},
			{"/", all, "index.html.br", "br", "html"},
			{"/sniffed", all, "sniffed.gz", "gzip", "html"},
			{"/twice.gz", all, "twice.gz.gz", "gzip", "gzip"},
			{"/one.css.gz", all, "one.css.gz", "", "gzip"},
			{"/old.css", all, "old.css", "", "css"},
			{"/taken.css", all, "taken.css", "", "css"},
		} {
			var fields []string
			if c.accept != "" {
				fields = append(fields, c.accept)
			}
			for _, method := range []string{"GET", "HEAD", "GET"} {
				a, body := answerTo(t, client, method, url+c.path, fields...)
				want := compressed[c.name]
				h := a.Header
				coded := strings.HasSuffix(h.Get("Etag"), "-"+c.coding+`"`)
				if a.StatusCode != 200 || h.Get("Content-Encoding") != c.coding ||
					a.ContentLength != int64(len(want)) || !strings.Contains(h.Get("Content-Type"), c.kind) ||
					!slices.Equal(h["Vary"], []string{"Accept-Encoding"}) || coded != (c.coding != "") {
					t.Errorf("%s %s %s: %s, %d bytes, %v", method, c.path, c.accept, a.Status, a.ContentLength, h)
				}
				if method == "GET" && body != want {
					t.Errorf("%s %s: %d bytes %.50q, want %d %.50q", c.path, c.accept, len(body), body, len(want), want)
				}
			}
		}
		for path, status := range map[string]int{"/dir": 200, "/nothing": 404, "/nothing.gz": 404, "/dir.gz": 200} {
			a, _ := answerTo(t, client, "GET", url+path, all)
			if a.StatusCode != status || a.Header.Get("Content-Encoding") != "" || a.Header.Get("Vary") != "" {
				t.Errorf("%s: %s, %v", path, a.Status, a.Header)
			}
		}
	})
}

// TestPrecompressedConditions: tags, dates and ranges are those of what is sent, and other answers than that are of no
// coding.
func TestPrecompressedConditions(t *testing.T) {
	dir := compressedSite(t)
	later := epoch.Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "large.txt.gz"), later, later); err != nil {
		t.Fatal(err)
	}
	files := &sockhttp.Files{Root: openRoot(t, dir), Precompressed: allEndings, Fresh: time.Hour}
	t.Cleanup(files.Close)
	date := epoch.UTC().Format(http.TimeFormat)
	eachProtocol(t, files, func(t *testing.T, client *http.Client, url string) {
		for _, path := range []string{"/one.css", "/large.txt"} {
			plain, coded := compressed[path[1:]], compressed[path[1:]+".gz"]
			tags := make(map[string]string)
			for _, of := range []string{"identity", "gzip"} {
				a, _ := answerTo(t, client, "GET", url+path, "Accept-Encoding: "+of)
				tags[of] = a.Header.Get("Etag")
				late := path == "/large.txt" && of == "gzip"
				if got := a.Header.Get("Last-Modified"); (got == date) == late {
					t.Errorf("%s %s: Last-Modified is %s", path, of, got)
				}
			}
			if tags["identity"] == tags["gzip"] {
				t.Errorf("%s: both have the tag %s", path, tags["gzip"])
			}
			for _, c := range []struct {
				accept string
				fields []string
				status int
				body   string
			}{
				{"gzip", []string{"If-None-Match: " + tags["gzip"]}, 304, ""},
				{"gzip", []string{"If-None-Match: W/" + tags["gzip"]}, 304, ""},
				{"gzip", []string{"If-None-Match: " + tags["identity"]}, 200, coded},
				{"identity", []string{"If-None-Match: " + tags["gzip"]}, 200, plain},
				{"identity", []string{"If-None-Match: " + tags["identity"]}, 304, ""},
				{"gzip", []string{"If-Match: " + tags["gzip"]}, 200, coded},
				{"gzip", []string{"If-Match: " + tags["identity"]}, 412, ""},
				{"gzip", []string{"If-Modified-Since: " + later.UTC().Format(http.TimeFormat)}, 304, ""},
				{"gzip", []string{"If-Unmodified-Since: " + epoch.Add(-time.Hour).Format(http.TimeFormat)}, 412, ""},
				{"gzip", []string{"Range: bytes=1-2"}, 206, coded[1:3]},
				{"gzip", []string{"Range: bytes=0-"}, 206, coded},
				{"gzip", []string{"Range: bytes=-2"}, 206, coded[len(coded)-2:]},
				{"identity", []string{"Range: bytes=1-2"}, 206, plain[1:3]},
				{"gzip", []string{"Range: bytes=900000-"}, 416, "invalid range: failed to overlap\n"},
				{"gzip", []string{"Range: lines=1-2"}, 416, "invalid range\n"},
				{"gzip", []string{"Range: bytes=0-,0-"}, 200, coded},
				{"gzip", []string{"Range: bytes=1-2", "If-Range: " + tags["gzip"]}, 206, coded[1:3]},
				{"gzip", []string{"Range: bytes=1-2", "If-Range: " + tags["identity"]}, 200, coded},
				{"identity", []string{"Range: bytes=1-2", "If-Range: " + tags["gzip"]}, 200, plain},
				{"gzip", []string{"Range: bytes=1-2", "If-Range: W/" + tags["gzip"]}, 200, coded},
				{"gzip", []string{"Range: bytes=1-2", "If-Range: " + date}, 200, coded},
				{"identity", []string{"Range: bytes=1-2", "If-Range: " + date}, 200, plain},
			} {
				a, body := answerTo(t, client, "GET", url+path, append(c.fields, "Accept-Encoding: "+c.accept)...)
				h := a.Header
				coding := ""
				if c.accept == "gzip" && (c.status == 200 || c.status == 206) {
					coding = "gzip"
				}
				if a.StatusCode != c.status || body != c.body || h.Get("Content-Encoding") != coding ||
					h.Get("Vary") != "Accept-Encoding" || c.status != 304 && a.ContentLength != int64(len(body)) {
					t.Errorf("%s %s %q: %s, %.50q of %d bytes, %v, want %d, %.50q of %d", path, c.accept, c.fields,
						a.Status, body, a.ContentLength, h, c.status, c.body, len(c.body))
				}
				size := len(plain)
				if coding != "" {
					size = len(coded)
				}
				got := h.Get("Content-Range")
				if c.status == 206 && !strings.HasSuffix(got, fmt.Sprint("/", size)) {
					t.Errorf("%s %q: Content-Range %s, want one of %d bytes", path, c.fields, got, size)
				}
				if c.status != 416 && h.Get("Etag") != tags[c.accept] {
					t.Errorf("%s %q: the tag is %s, want %s", path, c.fields, h.Get("Etag"), tags[c.accept])
				}
			}
			a, body := answerTo(t, client, "GET", url+path, "Accept-Encoding: gzip", "Range: bytes=1-2,0-0")
			_, boundary, _ := strings.Cut(a.Header.Get("Content-Type"), "boundary=")
			parts := multipart.NewReader(strings.NewReader(body), boundary)
			for _, want := range []string{coded[1:3], coded[:1]} {
				p, err := parts.NextRawPart()
				if err != nil {
					t.Fatalf("%v in %q, %v", err, body, a.Header)
				}
				if got, err := io.ReadAll(p); string(got) != want || err != nil {
					t.Errorf("a part is %q, %v, want %q", got, err, want)
				}
			}
		}
	})
}

// TestPrecompressedWrapped: where who calls the handler has said what is another for a sibling, or has begun the
// answer, there are none; a type stays as it was set.
func TestPrecompressedWrapped(t *testing.T) {
	files := &sockhttp.Files{Root: openRoot(t, compressedSite(t)), Precompressed: allEndings}
	t.Cleanup(files.Close)
	mux := http.NewServeMux()
	for name, before := range map[string]func(w http.ResponseWriter){
		"tagged":  func(w http.ResponseWriter) { w.Header().Set("ETag", `"x"`) },
		"coded":   func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "x") },
		"begun":   func(w http.ResponseWriter) { w.WriteHeader(200) },
		"typed":   func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/x") },
		"untyped": func(w http.ResponseWriter) { w.Header()["Content-Type"] = nil },
		"varied":  func(w http.ResponseWriter) { w.Header().Set("Vary", "Origin") },
	} {
		mux.HandleFunc("/"+name+"/", func(w http.ResponseWriter, r *http.Request) {
			before(w)
			http.StripPrefix("/"+name, files).ServeHTTP(w, r)
		})
	}
	eachProtocol(t, mux, func(t *testing.T, client *http.Client, url string) {
		for _, c := range []struct{ name, sent, coding, kind, vary string }{
			{"tagged", "one", "", "text/css; charset=utf-8", "Accept-Encoding"},
			{"coded", "one", "x", "text/css; charset=utf-8", "Accept-Encoding"},
			{"begun", "one", "", "text/plain; charset=utf-8", ""},
			{"typed", "gzip of one.css", "gzip", "text/x", "Accept-Encoding"},
			{"untyped", "gzip of one.css", "gzip", "", "Accept-Encoding"},
			{"varied", "gzip of one.css", "gzip", "text/css; charset=utf-8", "Origin Accept-Encoding"},
		} {
			a, body := answerTo(t, client, "GET", url+"/"+c.name+"/one.css", "Accept-Encoding: gzip")
			h := a.Header
			if body != c.sent || h.Get("Content-Encoding") != c.coding || h.Get("Content-Type") != c.kind ||
				strings.Join(h["Vary"], " ") != c.vary {
				t.Errorf("%s: %q, %v", c.name, body, h)
			}
		}
	})
}

// TestPrecompressedChange: which siblings there are is found out with the original's name, and not before, be they
// there or not. What was replaced or removed, and what is older than a new original, is not sent from then on.
func TestPrecompressedChange(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		check := func(t *testing.T, fresh time.Duration) {
			dir := site(t, map[string]string{"a": "a", "b": "b", "b.gz": "gzip of b"})
			in := func(name string) string { return filepath.Join(dir, name) }
			files := &sockhttp.Files{Root: openRoot(t, dir), Precompressed: allEndings, Fresh: fresh}
			defer files.Close()
			t.Run("server", func(t *testing.T) {
				addr := serve(t, cfg, "task", &sockhttp.Server{Handler: sockhttp.Task(files)})
				client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
				defer client.CloseIdleConnections()
				want := func(path, fresh, stale string) {
					t.Helper()
					want := fresh
					if files.Fresh > 0 {
						want = stale
					}
					_, body := answerTo(t, client, "GET", "http://"+addr+path, "Accept-Encoding: br, gzip;q=0.9")
					if body != want {
						t.Errorf("%s: %q, want %q", path, body, want)
					}
				}
				want("/a", "a", "a")
				want("/b", "gzip of b", "gzip of b")
				put(t, in("a.gz"), "gzip of a")
				want("/a", "gzip of a", "a")
				put(t, in("a.br"), "brotli of a")
				want("/a", "brotli of a", "a")
				put(t, in("new"), "another gzip of b")
				os.Rename(in("new"), in("b.gz"))
				want("/b", "another gzip of b", "gzip of b")
				os.Remove(in("b.gz"))
				want("/b", "b", "gzip of b")
				now := epoch.Add(time.Second)
				if err := os.Chtimes(in("a"), now, now); err != nil {
					t.Fatal(err)
				}
				want("/a", "a", "a")
				if err := os.Chtimes(in("a.gz"), now, now); err != nil {
					t.Fatal(err)
				}
				want("/a", "gzip of a", "a")
				os.Remove(in("a"))
				if fresh < 0 {
					a, _ := answerTo(t, client, "GET", "http://"+addr+"/a", "Accept-Encoding: gzip")
					if a.StatusCode != 404 {
						t.Errorf("%s where only a sibling is", a.Status)
					}
				}
			})
		}
		check(t, time.Hour)
		check(t, -1)
	})
}

// TestPrecompressedKept: what is open is bounded, siblings with it, and closed with its file.
func TestPrecompressedKept(t *testing.T) {
	content := make(map[string]string)
	var paths []string
	for i := range 20 {
		name := fmt.Sprint("f", i)
		paths = append(paths, "/"+name)
		for _, ending := range append(allEndings, "") {
			content[strings.TrimSuffix(name+"."+ending, ".")] = name + ending
		}
	}
	tokens := map[string]string{"br": "br", "zst": "zstd", "gz": "gzip", "": "identity"}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, keep := range []int{-1, 1, 2, 7, 1000} {
			dir := site(t, content)
			files := &sockhttp.Files{Root: openRoot(t, dir), Precompressed: allEndings, Keep: keep, Fresh: time.Hour}
			t.Run(fmt.Sprint(keep), func(t *testing.T) {
				defer files.Close()
				addr := serve(t, cfg, "task", &sockhttp.Server{Handler: sockhttp.Task(files)})
				client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
				defer client.CloseIdleConnections()
				for range 2 {
					for _, path := range paths {
						for ending, token := range tokens {
							_, body := answerTo(t, client, "GET", "http://"+addr+path, "Accept-Encoding: "+token)
							if want := path[1:] + ending; body != want {
								t.Errorf("%s %s: %q", path, token, body)
							}
						}
					}
				}
				most := min(max(0, keep), len(content))
				patience.Until(t, "what is too much is closed", func() bool { return openBelow(t, dir) <= most })
				if keep == 1000 {
					if n := files.Lookups(); n != int64(len(content)) {
						t.Errorf("%d lookups of %d files", n, len(content))
					}
				}
			})
			files.Close()
			patience.Until(t, "all is closed", func() bool { return openBelow(t, dir) == 0 })
		}
	})
}

// TestPrecompressedCut: a sibling that has become shorter is looked up again.
func TestPrecompressedCut(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		dir := site(t, map[string]string{"a": "a", "a.gz": "gzip of a"})
		files := &sockhttp.Files{Root: openRoot(t, dir), Precompressed: []string{"gz"}, Fresh: time.Hour}
		t.Cleanup(files.Close)
		addr := serve(t, cfg, "task", &sockhttp.Server{Handler: sockhttp.Task(files)})
		client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
		defer client.CloseIdleConnections()
		for _, want := range []string{"gzip of a", "gzip"} {
			if _, body := answerTo(t, client, "GET", "http://"+addr+"/a", "Accept-Encoding: gzip"); body != want {
				t.Errorf("%q, want %q", body, want)
			}
			if err := os.Truncate(filepath.Join(dir, "a.gz"), 4); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestPrecompressedOff: without the list siblings are files as others, and nothing is said of codings.
func TestPrecompressedOff(t *testing.T) {
	files := &sockhttp.Files{Root: openRoot(t, compressedSite(t))}
	t.Cleanup(files.Close)
	eachProtocol(t, files, func(t *testing.T, client *http.Client, url string) {
		a, body := answerTo(t, client, "GET", url+"/one.css", "Accept-Encoding: gzip, br")
		if body != "one" {
			t.Errorf("%q", body)
		}
		for _, name := range []string{"Vary", "Etag", "Content-Encoding"} {
			if a.Header[name] != nil {
				t.Errorf("%s: %q", name, a.Header[name])
			}
		}
	})
}
