package sockhttp

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
)

// TestGiveBackSiblings: for want of descriptors files go with their siblings, each of them once.
func TestGiveBackSiblings(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "a.gz", "b", "b.gz", "c", "c.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := file.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	runTask(t, func(l *ringo.Loop) {
		files := &Files{Root: root, Precompressed: []string{"gz"}}
		defer files.Close()
		for _, name := range []string{"a", "b", "c"} {
			r := httptest.NewRequest("GET", "/"+name, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := httptest.NewRecorder()
			if files.ServeHTTP(w, r); w.Body.String() != name+".gz" {
				t.Errorf("%s: %q", name, w.Body)
			}
		}
		s := files.shelf()
		if s.count != 6 || len(s.byPath) != 3 {
			t.Errorf("%d files are open, of %d paths, want 6 of 3", s.count, len(s.byPath))
		}
		before := l.Stats().Tasks
		for _, want := range []int{3, 1} { // the last of each takes its sibling with it
			back := s.giveBack()
			if len(back) != want {
				t.Errorf("%d files are given back, want %d; %d are left", len(back), want, s.count)
			}
			patience.UntilBy(t, "what the shelf itself closes is closed", func() { l.Sleep(time.Millisecond) },
				func() bool { return l.Stats().Tasks == before })
			for _, o := range back {
				if err := o.file.Close(); err != nil {
					t.Errorf("%s: %v", o.name, err)
				}
			}
		}
		if s.count != 0 || len(s.byPath) != 0 || s.ends.newer != &s.ends {
			t.Errorf("%d files are left, %d paths", s.count, len(s.byPath))
		}
	})
}
