package sockhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock/sockhttp"
)

// epoch is when the files of a site were written.
var epoch = time.Date(2021, 5, 6, 7, 8, 9, 987654321, time.UTC)

// site makes a directory with files of these names, each with its content.
func site(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
	}
	return dir
}

// put makes a file of a site.
func put(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, epoch, epoch); err != nil {
		t.Fatal(err)
	}
}

// openRoot opens a directory until the test ends.
func openRoot(t testing.TB, dir string) *file.Root {
	t.Helper()
	root, err := file.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// numbered is n bytes of lines that count.
func numbered(n int) string {
	b := make([]byte, 0, n+64)
	for i := 0; len(b) < n; i++ {
		b = append(strconv.AppendInt(append(b, "line "...), int64(i), 10), " of a file\n"...)
	}
	return string(b[:n])
}

// readAnswer reads an answer to a request of the method.
func readAnswer(r *bufio.Reader, method string) (*http.Response, string, error) {
	a, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(a.Body)
	return a, string(body), err
}

// getFile asks for a path on a connection of its own.
func getFile(t testing.TB, addr, path string) (*http.Response, string) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
	a, body, err := readAnswer(bufio.NewReader(c), "GET")
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return a, body
}

// wantFile asks for a path and wants a file.
func wantFile(t testing.TB, addr, path, want string) {
	t.Helper()
	if a, body := getFile(t, addr, path); a.StatusCode != 200 || body != want {
		t.Errorf("%s: %s %.50q of %d bytes, want %.50q of %d", path, a.Status, body, len(body), want, len(want))
	}
}

// sparseSize is of the file that is a hole but for its ends.
const sparseSize = 16 << 20

// tree is the site of the comparisons, and the paths in it that are asked for.
func tree(t testing.TB) (dir string, paths []string) {
	dir = site(t, map[string]string{
		"page.html": "<p>page", "index.html": "<p>index", "dir/index.html": "<p>dir", "bare/a": "a",
		"bare/<b> c?#": "b", "bare/d/e": "e", "empty.txt": "", "one": "1", "text.txt": numbered(1000),
		"noext": "plain words", "image": "\x89PNG\x0D\x0A\x1A\x0A", "binary": "\x00\x01\x02",
		"held": numbered(6 << 10), "more": numbered(6<<10 + 1), "chunk.bin": numbered(64 << 10),
		"chunks.bin": numbered(3*64<<10 + 77), "style.css": "p {}", "a b.txt": "blank", "100%.txt": "percent",
		"üñ.txt": "letters", ".hidden": "dots", ".d/f": "dots", "epoch": "0", "colon:name/index.html": "c",
		"index.html.d/f": "f", "back\\slash": "b",
	})
	f, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, off := range []int64{0, sparseSize - 4} {
		if _, err := f.WriteAt([]byte("ends"), off); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bare", "bare/d", ".d", "index.html.d"} {
		if err := os.Chtimes(filepath.Join(dir, name), epoch, epoch); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "epoch"), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("one", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir, []string{
		"/page.html", "/", "/index.html", "/dir", "/dir/", "/dir/index.html", "/bare/", "/bare", "/bare/a",
		"/bare/%3Cb%3E%20c%3F%23", "/empty.txt", "/one", "/text.txt", "/noext", "/image", "/binary", "/held", "/more",
		"/chunk.bin", "/chunks.bin", "/style.css", "/a%20b.txt", "/100%25.txt", "/%C3%BC%C3%B1.txt",
		"/.hidden", "/.d", "/.d/", "/.d/f", "/epoch", "/nothing", "/nothing/", "/one/", "/one/x", "/dir/../one",
		"//one", "/./one", "/one?query=1", "/dir?a=b", "/page.html/", "/index.html.d/", "/link", "/link/",
		"/%6Fne", "/bare/../../one", "/..", "/.", "/dir/.", "/dir/..", "/one%00", "/%00", "/text.txt%2f", "/dir%2F",
		"/..%2fone", "/%2e%2e/one", "/back%5Cslash", "http://h/one", "http://h", "*",
	}
}

// conditions are header fields about which the answers may differ. tag is an entity tag of a file.
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
		"99999999999999999999-", "0-99999999999999999999", "1 - 2", "6143-6144", ""} {
		all = append(all, "Range: bytes="+r)
	}
	return append(all, "Range: lines=1-2", "Range: bytes", "range: BYTES=0-1", "Range: bytes=0-0\r\nRange: bytes=1-1")
}

var boundary = regexp.MustCompile(`[0-9a-f]{60}`)

// unbounded puts a word in the place of the boundary between parts, which is random. To look for it takes long.
func unbounded(answer string) string {
	if !strings.Contains(answer, "boundary=") && !strings.Contains(answer, "Content-Range: ") {
		return answer
	}
	return boundary.ReplaceAllString(answer, "boundary")
}

// sameAnswer sends a request to both and wants the same bytes but for dates, and boundaries of parts.
func sameAnswer(t *testing.T, ours, theirs, text string) {
	t.Helper()
	answer := func(addr string) string {
		return unbounded(undated(exchange(t, addr, nil, text)))
	}
	if got, want := answer(ours), answer(theirs); got != want {
		t.Errorf("%q:\n%.600q of %d bytes, want\n%.600q of %d", text, got, len(got), want, len(want))
	}
}

// Each path gets the answer of http.FileServer to the byte, whatever the method, the conditions and ranges, on
// goroutines and in tasks, of files that are open and of others.
func TestFilesLikeFileServer(t *testing.T) {
	dir, paths := tree(t)
	theirs := control(t, http.FileServer(http.Dir(dir)))
	files := &sockhttp.Files{Root: openRoot(t, dir)}
	t.Cleanup(files.Close)
	many := 100
	if testmain.Long() {
		many = 3000
	}
	eachWay(t, files, nil, func(t *testing.T, ours string) {
		for _, path := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "BREW", "OPTIONS"} {
				sameAnswer(t, ours, theirs, method+" "+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			}
			sameAnswer(t, ours, theirs, "GET "+path+" HTTP/1.0\r\n\r\n")
		}
		for _, line := range []string{"", "Range: bytes=4-1048580\r\n", "Range: bytes=16777210-\r\n"} {
			sameAnswer(t, ours, theirs, "GET /sparse HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+line+"\r\n")
		}
		fields := conditions(`"x"`)
		for _, line := range fields {
			for _, path := range []string{"/text.txt", "/empty.txt"} {
				sameAnswer(t, ours, theirs, "GET "+path+" HTTP/1.1\r\nHost: h\r\n"+line+"\r\n\r\n")
			}
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for range many {
			method, path := []string{"GET", "HEAD"}[random.IntN(2)], paths[random.IntN(len(paths))]
			if random.IntN(2) == 0 {
				path = []string{"/text.txt", "/chunks.bin", "/chunk.bin", "/held", "/more"}[random.IntN(5)]
			}
			text := method + " " + path + " HTTP/1.1\r\nHost: h\r\n"
			for range random.IntN(4) {
				text += fields[random.IntN(len(fields))] + "\r\n"
			}
			sameAnswer(t, ours, theirs, text+"\r\n")
		}
	})
}

// What a wrapper sets and does to a request counts as with http.FileServer, be it middleware or a mux.
func TestFilesWrapped(t *testing.T) {
	dir, _ := tree(t)
	files := &sockhttp.Files{Root: openRoot(t, dir)}
	t.Cleanup(files.Close)
	wrapped := func(h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/s/", http.StripPrefix("/s", h))
		mux.Handle("/t/", http.StripPrefix("/t/", h))
		mux.Handle("GET /{name}", h)
		mux.HandleFunc("/type/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/x")
			http.StripPrefix("/type", h).ServeHTTP(w, r)
		})
		mux.HandleFunc("/untyped/", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			http.StripPrefix("/untyped", h).ServeHTTP(w, r)
		})
		mux.HandleFunc("/coded/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "none")
			http.StripPrefix("/coded", h).ServeHTTP(w, r)
		})
		mux.HandleFunc("/tagged/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"x"`)
			http.StripPrefix("/tagged", h).ServeHTTP(w, r)
		})
		mux.HandleFunc("/begun/", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "before ")
			http.StripPrefix("/begun", h).ServeHTTP(w, r)
		})
		mux.HandleFunc("/flushed/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1002")
			io.WriteString(w, "a")
			http.NewResponseController(w).Flush()
			io.WriteString(w, "b")
			http.StripPrefix("/flushed", h).ServeHTTP(w, r)
		})
		mux.HandleFunc("/plain/", func(w http.ResponseWriter, r *http.Request) {
			http.StripPrefix("/plain", h).ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		})
		return mux
	}
	theirs := control(t, wrapped(http.FileServer(http.Dir(dir))))
	eachWay(t, wrapped(files), nil, func(t *testing.T, ours string) {
		sameAnswer(t, ours, theirs, "GET /flushed/text.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		for _, prefix := range []string{"", "/s", "/t", "/type", "/untyped", "/coded", "/tagged", "/begun", "/plain"} {
			for _, path := range []string{"/", "/one", "/empty.txt", "/more", "/dir", "/dir/", "/chunks.bin", "/none",
				"/.", "/bare/"} {
				if path == "/chunks.bin" && (prefix == "/coded" || prefix == "/begun") {
					continue // where an answer without a length is cut into chunks is the server's to choose
				}
				for _, line := range []string{"", "Range: bytes=0-0\r\n", "Range: bytes=0-0,2-2\r\n",
					"If-None-Match: \"x\"\r\n"} {
					sameAnswer(t, ours, theirs, "GET "+prefix+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+
						line+"\r\n")
				}
			}
		}
	})
}

// Entity tags change with what they stand for, and count in conditions.
func TestFilesTags(t *testing.T) {
	dir := site(t, map[string]string{"f": "file", "index.html": "a page"})
	files := &sockhttp.Files{Root: openRoot(t, dir), ETags: true, Fresh: -1}
	t.Cleanup(files.Close)
	eachWay(t, files, nil, func(t *testing.T, addr string) {
		put(t, filepath.Join(dir, "f"), "file")
		a, _ := getFile(t, addr, "/f")
		tag := a.Header.Get("Etag")
		for _, c := range []struct{ fields, status string }{
			{"", "200 OK"}, {"If-None-Match: " + tag + "\r\n", "304 Not Modified"},
			{"If-Match: " + tag + "\r\n", "200 OK"}, {"If-Match: \"x\"\r\n", "412 Precondition Failed"},
			{"If-Range: " + tag + "\r\nRange: bytes=0-1\r\n", "206 Partial Content"},
			{"If-Range: \"x\"\r\nRange: bytes=0-1\r\n", "200 OK"},
			{"If-Range: " + tag + "\r\nRange: bytes=0-1,3-3\r\n", "206 Partial Content"},
		} {
			got := exchange(t, addr, nil, "GET /f HTTP/1.1\r\nHost: h\r\n"+c.fields+"\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || !strings.Contains(got, "Etag: "+tag) {
				t.Errorf("%q: %q, want %s with the tag %s", c.fields, got, c.status, tag)
			}
		}
		if a, _ := getFile(t, addr, "/"); a.Header.Get("Etag") == "" || a.Header.Get("Etag") == tag {
			t.Errorf("the tag of a directory's page is %q", a.Header.Get("Etag"))
		}
		put(t, filepath.Join(dir, "f"), "elif!")
		if a, body := getFile(t, addr, "/f"); a.Header.Get("Etag") == tag || body != "elif!" {
			t.Errorf("%q of another file %q has the tag %s, too", body, "elif!", tag)
		}
	})
}

// A directory without a page is refused where listings are not wanted, and cut where there are too many names.
func TestFilesListings(t *testing.T) {
	dir := site(t, map[string]string{"few/f": "x", "page/index.html": "page", "dir/index.html/f": "x"})
	one := filepath.Join(dir, "many", "0")
	put(t, one, "")
	for i := 1; i < 10_050; i++ { // links: ext4 looks at each inode that has just gone before it gives a new one
		if err := os.Link(one, filepath.Join(dir, "many", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	root := openRoot(t, dir)
	lists, refuses := &sockhttp.Files{Root: root}, &sockhttp.Files{Root: root, NoList: true}
	mux := http.NewServeMux()
	mux.Handle("/l/", http.StripPrefix("/l", lists))
	mux.Handle("/r/", http.StripPrefix("/r", refuses))
	t.Cleanup(lists.Close)
	t.Cleanup(refuses.Close)
	eachWay(t, mux, nil, func(t *testing.T, addr string) {
		for path, want := range map[string]int{"/l/few/": 200, "/r/few/": 403, "/r/page/": 200, "/l/page/": 200,
			"/l/many/": 200, "/r/many/": 403, "/r/many": 301, "/r/few/f": 200, "/r/dir/": 403, "/r/none/": 404} {
			a, body := getFile(t, addr, path)
			if a.StatusCode != want {
				t.Errorf("%s: %s, want %d", path, a.Status, want)
			}
			if n := strings.Count(body, "<a "); path == "/l/many/" && n != 10_000 {
				t.Errorf("%d names of 10050, want 10000", n)
			}
		}
	})
}

// A file that is replaced, removed or rewritten is seen when it is looked up again; one that has become shorter is
// answered as it is now, and no descriptor is kept of what has gone.
func TestFilesChange(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		dir := site(t, map[string]string{"replaced": "one", "removed": "one", "written": "one",
			"small": numbered(3000)})
		in := func(name string) string { return filepath.Join(dir, name) }
		check := func(t *testing.T, fresh time.Duration, small string) {
			files := &sockhttp.Files{Root: openRoot(t, dir), Fresh: fresh}
			defer files.Close()
			t.Run("server", func(t *testing.T) {
				addr := serve(t, cfg, "task", &sockhttp.Server{Handler: sockhttp.Task(files)})
				for _, path := range []string{"/replaced", "/removed", "/written", "/small"} {
					if a, _ := getFile(t, addr, path); a.StatusCode != 200 {
						t.Fatalf("%s: %s", path, a.Status)
					}
				}
				if err := os.Truncate(in("small"), 10); err != nil {
					t.Fatal(err)
				}
				wantFile(t, addr, "/small", small)
				if fresh > 0 {
					return
				}
				put(t, in("new"), "another")
				os.Rename(in("new"), in("replaced"))
				os.Remove(in("removed"))
				put(t, in("written"), "two, and longer")
				wantFile(t, addr, "/replaced", "another")
				wantFile(t, addr, "/written", "two, and longer")
				if a, _ := getFile(t, addr, "/removed"); a.StatusCode != 404 {
					t.Errorf("a file that was removed: %s", a.Status)
				}
			})
		}
		check(t, time.Hour, numbered(3000)[:10])
		put(t, in("small"), numbered(3000))
		check(t, -1, numbered(3000)[:10])
	})
}

// A file that is cut while it is sent ends its connection, or its stream, before all that was promised has come, and
// with an error; one that has grown is sent as long as it was.
func TestFilesCut(t *testing.T) {
	const size = 64 << 20
	dir := site(t, map[string]string{"f": "file"})
	name := filepath.Join(dir, "big")
	files := &sockhttp.Files{Root: openRoot(t, dir), Fresh: time.Hour}
	t.Cleanup(files.Close)
	speaksBoth := func(s *sockhttp.Server) { s.Protocols = clear2() }
	eachWay(t, files, speaksBoth, func(t *testing.T, addr string) {
		narrow := func(c net.Conn) net.Conn {
			c.(*net.TCPConn).SetReadBuffer(65536)
			return c
		}
		one := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				narrow(c)
			}
			return c, err
		}}
		defer one.CloseIdleConnections()
		two, _ := client2(t, nil, narrow)
		for _, c := range []*http.Client{{Transport: one}, two} {
			for _, to := range []int64{1 << 20, 2 * size} {
				next := name + ".new"
				f, err := os.Create(next)
				if err != nil {
					t.Fatal(err)
				}
				f.Close()
				if err := os.Truncate(next, size); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, fmt.Sprint("big", rand.Uint64()))
				if err := os.Rename(next, path); err != nil {
					t.Fatal(err)
				}
				a, err := c.Get("http://" + addr + "/" + filepath.Base(path))
				if err != nil || a.ContentLength != size {
					t.Fatalf("%v, %v", a, err)
				}
				if err := os.Truncate(path, to); err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, a.Body)
				a.Body.Close()
				if cut := to < size; cut && (err == nil || n >= size) || !cut && (err != nil || n != size) {
					t.Errorf("%s: %d bytes came of a file of %d that became one of %d, %v", a.Proto, n, size, to, err)
				}
				if ended := errors.Is(err, io.ErrUnexpectedEOF); to < size && ended != (a.ProtoMajor == 1) {
					t.Errorf("%s: a file that was cut ends with: %v", a.Proto, err)
				}
				wantFile(t, addr, "/f", "file")
				os.Remove(path)
			}
		}
	})
}

// A peer that takes nothing is given up, be it of a large file, of parts of one, or of many small ones.
func TestFilesSlowPeers(t *testing.T) {
	t.Parallel()
	const idle = 300 * time.Millisecond
	dir := site(t, map[string]string{"big": "", "f": "file", "more": strings.Repeat("more", 25_000)})
	if err := os.Truncate(filepath.Join(dir, "big"), 256<<20); err != nil {
		t.Fatal(err)
	}
	files := &sockhttp.Files{Root: openRoot(t, dir), Idle: idle}
	t.Cleanup(files.Close)
	every := []string{"GET /big HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /big HTTP/1.1\r\nHost: h\r\nRange: bytes=0-99999999,100000000-199999999\r\n\r\n",
		strings.Repeat("GET /f HTTP/1.1\r\nHost: h\r\n\r\n", 200_000)}
	slow := func(t *testing.T, addr string, every ...string) {
		t.Parallel()
		other := dial(t, addr) // which takes all, and is not given up
		answers := bufio.NewReader(other)
		ask := func(path string) {
			t.Helper()
			fmt.Fprintf(other, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
			if _, _, err := readAnswer(answers, "GET"); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		ask("/f")
		ask("/more")
		for _, asked := range every {
			c := dial(t, addr) // with the buffers that it has: if they shrink, it drops acks and resets
			_, err := io.WriteString(c, asked)
			patience.Until(t, "the end of a connection whose peer takes nothing", func() bool {
				if err == nil {
					_, err = c.Write([]byte("x"))
				}
				return err != nil
			})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection of %.20q goes on", asked)
			}
		}
		ask("/none")
	}
	set := func(s *sockhttp.Server) { s.WriteByteTimeout = idle }
	eachWay(t, files, set, func(t *testing.T, addr string) { slow(t, addr, every...) })
	alone := func(*sockhttp.Server) {} // nothing but Idle, whose time ends with the file
	eachWay(t, files, alone, func(t *testing.T, addr string) { slow(t, addr, every[0]) })
}

// No more files are open than are to be kept, and clients that leave in the middle leave nothing behind.
func TestFilesKept(t *testing.T) {
	content := make(map[string]string)
	for i := range 30 {
		content[fmt.Sprint("f", i)] = numbered(1000 * (i + 1))
	}
	content["big"] = strings.Repeat("big", 1<<20)
	dir := site(t, content)
	for _, keep := range []int{5, -1} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				files := &sockhttp.Files{Root: openRoot(t, dir), Keep: keep}
				t.Cleanup(files.Close)
				addr := serve(t, cfg, "task", &sockhttp.Server{Handler: sockhttp.Task(files)})
				for range 2 {
					for name, want := range content {
						wantFile(t, addr, "/"+name, want)
					}
				}
				if n := files.Lookups(); keep < 0 && n != int64(2*len(content)) {
					t.Errorf("%d lookups where nothing is kept, want %d", n, 2*len(content))
				}
				for range 10 {
					c := dial(t, addr)
					io.WriteString(c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
					io.ReadFull(c, make([]byte, 1000))
					c.SetLinger(0)
					c.Close()
				}
				patience.Until(t, "files are closed", func() bool { return openBelow(t, dir) <= max(keep, 0) })
			})
		})
	}
}

// Close has each loop close its own files, whoever calls it: a task that was cancelled, too.
func TestFilesClose(t *testing.T) {
	dir := site(t, map[string]string{"f": "file"})
	root := openRoot(t, dir)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		files := &sockhttp.Files{Root: root}
		opened, closed := ringo.NewChan[bool](0), ringo.NewChan[bool](0)
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				files.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/f", nil))
				opened.Send(true)
				_, err := closed.Recv()
				return err
			}
			opened.Recv()
			if openBelow(t, dir) == 0 {
				t.Error("nothing is open")
			}
			canceled := l.Go(func() {
				l.Sleep(time.Hour)
				files.Close()
			})
			canceled.Cancel()
			canceled.Wait()
			patience.UntilBy(t, "files are closed", func() { l.Sleep(time.Millisecond) },
				func() bool { return openBelow(t, dir) == 0 })
			return closed.Send(true)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// openBelow counts the descriptors of files below a directory that this process has.
func openBelow(t testing.TB, dir string) (n int) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	for _, name := range names {
		if to, err := os.Readlink("/proc/self/fd/" + name.Name()); err == nil && strings.HasPrefix(to, dir+"/") {
			n++
		}
	}
	return n
}

// By TLS, HTTP/1.1 and 2, files come as they are.
func TestFilesTLS(t *testing.T) {
	content := map[string]string{"/f": "file", "/more": numbered(300_001)}
	files := &sockhttp.Files{Root: openRoot(t, site(t, content))}
	t.Cleanup(files.Close)
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2=", http2), func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				config, client := certified(t)
				addr := serve(t, cfg, "tls", &sockhttp.Server{Handler: sockhttp.Task(files), TLSConfig: config})
				config = client.Transport.(*http.Transport).TLSClientConfig.Clone()
				config.ServerName = "example.com"
				tr := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}
				defer tr.CloseIdleConnections()
				for path, want := range content {
					for _, r := range []string{"", "bytes=1-2", "bytes=1-2,4-9"} {
						req, _ := http.NewRequest("GET", "https://"+addr+path, nil)
						if r != "" {
							req.Header.Set("Range", r)
						}
						a, err := (&http.Client{Transport: tr}).Do(req)
						if err != nil {
							t.Fatal(err)
						}
						body, err := io.ReadAll(a.Body)
						a.Body.Close()
						if err != nil || (a.ProtoMajor == 2) != http2 || r == "" && string(body) != want ||
							r == "bytes=1-2" && string(body) != want[1:3] {
							t.Errorf("%s %s %s: %s, %d bytes, %v", a.Proto, path, r, a.Status, len(body), err)
						}
					}
				}
			})
		})
	}
}

// The hook for logs hears of each answer once, with its size, and of what was no request.
func TestAnswered(t *testing.T) {
	files := &sockhttp.Files{Root: openRoot(t, site(t, map[string]string{"f": "file", "more": numbered(100_000)}))}
	t.Cleanup(files.Close)
	told := make(chan string, 10)
	set := func(s *sockhttp.Server) {
		s.Answered = func(_ net.Conn, r *http.Request, status int, size int64) {
			what := "-"
			if r != nil {
				what = r.Method + " " + r.RequestURI + " " + r.Proto
			}
			told <- fmt.Sprint(what, " ", status, " ", size)
		}
		s.Refused = func(c net.Conn, r *http.Request, status int, size int64) {
			s.Answered(c, r, status, size)
			told <- "by itself"
		}
	}
	eachWay(t, files, set, func(t *testing.T, addr string) {
		for _, c := range []struct{ text, want string }{
			{"GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f HTTP/1.1 200 4"},
			{"HEAD /f HTTP/1.0\r\n\r\n", "HEAD /f HTTP/1.0 200 0"},
			{"HEAD /none HTTP/1.0\r\n\r\n", "HEAD /none HTTP/1.0 404 0"},
			{"GET /more HTTP/1.1\r\nHost: h\r\n\r\n", "GET /more HTTP/1.1 200 100000"},
			{"GET /more HTTP/1.1\r\nHost: h\r\nRange: bytes=5-9\r\n\r\n", "GET /more HTTP/1.1 206 5"},
			{"nonsense\r\n\r\n", "- 400 15"},
			{"GET / HTTP/1.1\r\n\r\n", "- 400 45"},
			{"GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", "GET / HTTP/1.1 417 0"},
		} {
			exchange(t, addr, nil, c.text)
			if got := patience.Recv(t, c.text, told); got != c.want {
				t.Errorf("%q: told %q, want %q", c.text, got, c.want)
			}
			if strings.HasPrefix(c.want, "-") || strings.Contains(c.want, " 417 ") {
				patience.Recv(t, "the word that no handler has seen "+c.text, told)
			}
		}
	})
	if len(told) > 0 {
		t.Errorf("more than that was told: %q", <-told)
	}
}

// The hook for logs hears of an answer that breaks off, too, once something of it was written.
func TestAnsweredBrokenOff(t *testing.T) {
	told := make(chan string, 10)
	set := func(s *sockhttp.Server) {
		s.Answered = func(_ net.Conn, r *http.Request, status int, size int64) {
			told <- fmt.Sprint(r.URL.Path, " ", r.Proto, " ", status, " ", size)
		}
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/some" {
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "some")
		}
		panic(http.ErrAbortHandler)
	})
	want := func(t *testing.T, proto string) {
		t.Helper()
		if got, want := patience.Recv(t, "an answer", told), "/some "+proto+" 206 4"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	eachWay(t, h, set, func(t *testing.T, addr string) {
		for _, path := range []string{"/none", "/some"} {
			exchange(t, addr, nil, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		want(t, "HTTP/1.1")
	})
	each2(t, h, set, func(t *testing.T, _ *sockhttp.Server, url string, config *tls.Config) {
		client, _ := client2(t, config, nil)
		for _, path := range []string{"/none", "/some"} {
			if a, err := client.Get(url + path); err == nil {
				io.Copy(io.Discard, a.Body)
				a.Body.Close()
			}
		}
		want(t, "HTTP/2.0")
	})
	if len(told) > 0 {
		t.Errorf("more than that was told: %q", <-told)
	}
}

// Files are served, and answers told of, by HTTP/2 as well.
func TestHTTP2Answered(t *testing.T) {
	more := numbered(100_000)
	files := &sockhttp.Files{Root: openRoot(t, site(t, map[string]string{"f": "file", "more": more}))}
	t.Cleanup(files.Close)
	told := make(chan string, 10)
	set := func(s *sockhttp.Server) {
		s.Answered = func(_ net.Conn, r *http.Request, status int, size int64) {
			told <- fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Proto, " ", status, " ", size)
		}
		s.Refused = func(_ net.Conn, r *http.Request, status int, _ int64) { told <- fmt.Sprint("refused ", status) }
	}
	each2(t, files, set, func(t *testing.T, _ *sockhttp.Server, url string, config *tls.Config) {
		client, _ := client2(t, config, nil)
		for _, c := range []struct{ method, path, span, body, want string }{
			{"GET", "/f", "", "file", "GET /f HTTP/2.0 200 4"},
			{"HEAD", "/f", "", "", "HEAD /f HTTP/2.0 200 0"},
			{"GET", "/more", "", more, "GET /more HTTP/2.0 200 100000"},
			{"GET", "/more", "bytes=5-9", more[5:10], "GET /more HTTP/2.0 206 5"},
		} {
			r, err := http.NewRequest(c.method, url+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.span != "" {
				r.Header.Set("Range", c.span)
			}
			a, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			if string(body) != c.body || err != nil {
				t.Errorf("%s %s: %d bytes, %v", c.method, c.path, len(body), err)
			}
			if got := patience.Recv(t, c.want, told); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		}
		r, err := http.NewRequest("GET", url+"/f", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("TE", "gzip")
		a, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if got, want := patience.Recv(t, "the word of a refusal", told), "refused 400"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}
